"""The work of a cell as nnU-Net's own commands, to read or to repeat by hand."""

import shlex

from mass_nnunet.runtime.env import export_lines

from .cell import step_environment
from .job import Job


def exports(job: Job) -> list[str]:
    """Export lines that the commands need; they are the same for all cells of a grid."""
    names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results", "nnUNet_extTrainer")
    values = step_environment(job)
    return export_lines({name: values[name] for name in names})


def commands(job: Job) -> list[str]:
    """Shell lines, with comments. nnUNetv2_train also runs a validation at its end, which the benchmark omits."""
    grid, fold = job.grid, job.fold
    model = ("-tr", job.cell.method, "-p", grid.plans, "-device", grid.device)
    lines = [f"# {job.cell.title}"]
    for datasets in job.trainings:
        lines.append(_line("nnUNetv2_train", datasets[0].id, grid.configuration, fold, *model))
    if job.external is not None:
        lines.append("# made by another tool")
    for inference in job.inferences:
        if job.choices:
            lines.append(f'# with "inference": "{inference}" under "mass" in plans.json beside the models')
        for tested in job.tested:
            out = job.predictions(tested, inference)
            options = ("-d", tested.dataset.id, "-i", tested.images, "-o", out, "-c", grid.configuration, "-f", fold)
            scores = out.with_name(f"{out.name}.csv")
            if job.external is None:
                lines.append(_line("nnUNetv2_predict", *options, *model))
            else:
                scores = job.folder / f"{tested.dataset.name}.csv"
            lines.append(_line("mass_nnunet", "evaluate", out, tested.truth, "--csv", scores))
    return lines


def _line(*words: object) -> str:
    return shlex.join(str(word) for word in words)
