"""The work of a cell as nnU-Net's own commands, to read or to repeat by hand."""

import shlex

from mass_nnunet.runtime.env import export_lines

from .cell import step_environment
from .job import Job


def exports(job: Job) -> list[str]:
    """Export lines that the commands need; they are the same for all cells of a grid."""
    names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results", "nnUNet_extTrainer")
    values = {**step_environment(job), "nnUNet_results": str(job.grid.models)}
    return export_lines({name: values[name] for name in names})


def commands(job: Job) -> list[str]:
    """Shell lines, with comments. nnUNetv2_train also runs a validation at its end, which the benchmark omits."""
    method, fold = job.method, job.fold
    model = ("-tr", method.trainer, "-p", method.plans, "-device", job.grid.device)
    # In the folder of the exported variable two variants of one trainer would have the same name.
    env = ("env", f"nnUNet_results={job.models}") if job.models != job.grid.models else ()
    lines = [f"# {job.cell.title}"]
    if job.schedule is not None:
        epochs, iterations, _ = job.schedule
        lines.append(
            f"# with {epochs} epochs of {iterations} steps, and on data without the labels that the fold hides"
        )
    for datasets in job.trainings:
        lines.append(_line(*env, "nnUNetv2_train", datasets[0].id, method.configuration, fold, *model))
    if job.external is not None:
        lines.append("# made by another tool")
    for inference in job.inferences:
        if job.choices:
            lines.append(f'# with "inference": "{inference}" under "mass" in plans.json beside the models')
        for tested in job.tested:
            out = job.predictions(tested, inference)
            options = ("-d", tested.dataset.id, "-i", tested.images, "-o", out, "-c", method.configuration, "-f", fold)
            scores = out.with_name(f"{out.name}.csv")
            if job.external is None:
                lines.append(_line(*env, "nnUNetv2_predict", *options, *model))
            else:
                scores = job.folder / f"{tested.dataset.name}.csv"
            lines.append(_line("mass_nnunet", "evaluate", out, tested.truth, "--csv", scores))
    return lines


def _line(*words: object) -> str:
    return shlex.join(str(word) for word in words)
