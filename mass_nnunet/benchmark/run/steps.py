"""The steps of a cell that run in processes of their own: a training, and the prediction of one test set.

For a trainer that is not of this package its data come first (isolation.py).

    python -m mass_nnunet.benchmark.run.steps train '{"model": {"trainer": ..., ...}, "datasets": [...], ...}'

So a crash, or a step that is killed because memory is short, breaks only one cell. A finished step writes a JSON file
of its cost; a step with such a file is not repeated.
"""

import json
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.file_path_utilities import get_output_folder

from mass_nnunet.data.files import atomic_path, read_json, write_json
from mass_nnunet.data.paths import FINAL_CHECKPOINT, LATEST_CHECKPOINT, base_folder
from mass_nnunet.data.raw import TEST, RawDataset
from mass_nnunet.data.splits import SPLITS_JSON
from mass_nnunet.errors import UserError, exit_on_user_error
from mass_nnunet.networks.blocks import NATIVE_BFLOAT16
from mass_nnunet.runtime.checkpoint import read_checkpoint
from mass_nnunet.trainers.base.schedule import set_schedule

from .isolation import isolate
from .job import ModelName
from .scoring import score_test_scans


def train(
    model: ModelName, *, datasets: Sequence[str], seed: int, cost: str, schedule: Sequence[int] | None = None
) -> None:
    """Train as nnUNetv2_train does, but without the validation at its end, which the benchmark does not use.

    An interrupted training continues from its last checkpoint, as with ``--c``.

    Args:
        model: the model to train.
        datasets: folder names of the datasets that get a model; the training is started for the first of them.
        seed: seed of the random numbers; a continued training does not repeat them.
        cost: JSON file to write: ``seconds``, the sum over the epochs of the final model; ``validation``, pairs of the
            seconds until the end of an epoch and the Dice of its validation patches (nnU-Net's pseudo Dice);
            ``iterations``, the steps of an epoch;
            ``peak_memory_mb`` of this process and ``peak_gpu_memory_mb`` of its tensors, None if it did not train;
            ``device``, the device of the training.
        schedule: epochs, iterations and validation iterations (:class:`job.Schedule`), for a trainer that does not
            take them from its plans.

    Raises:
        UserError: such a trainer would train on other scans than the annotated ones of the fold.
    """
    names = (model.trainer, model.plans, model.configuration, model.fold)
    folders = [Path(get_output_folder(dataset, *names)) for dataset in datasets]
    peak: float | None = None
    peak_gpu: float | None = None
    if not _keep_whole(folders, FINAL_CHECKPOINT):
        _run_training(model, datasets[0], seed, schedule, goes_on=_keep_whole(folders[:1], LATEST_CHECKPOINT))
        peak = _peak_memory_mb()
        if model.device == "cuda":
            peak_gpu = torch.cuda.max_memory_allocated() / 2**20
    content = {"device": _describe(model.device), "peak_memory_mb": peak, "peak_gpu_memory_mb": peak_gpu}
    write_json(Path(cost), content | _cost_of(folders[0] / FINAL_CHECKPOINT, schedule))


def _run_training(model: ModelName, dataset: str, seed: int, schedule: Sequence[int] | None, *, goes_on: bool) -> None:
    """Begin a training, or go on with it; the arguments are those of :func:`train`."""
    if model.device == "cuda":
        # nnU-Net's own settings for a GPU.
        torch.set_num_threads(1)
        torch.backends.cudnn.benchmark = True
    if not goes_on:
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002, what nnU-Net draws from
    trainer = get_trainer_from_args(
        dataset, model.configuration, model.fold, model.trainer, model.plans, goes_on, torch.device(model.device)
    )
    if schedule is not None:
        set_schedule(trainer, *schedule)
        _check_split(trainer, dataset, model.fold)
    maybe_load_checkpoint(trainer, goes_on, False)
    trainer.run_training()


def _cost_of(checkpoint: Path, schedule: Sequence[int] | None) -> dict[str, Any]:
    """Steps of an epoch, seconds and validation of a training, with the epochs before an interruption."""
    content = read_checkpoint(checkpoint)
    log, mass = content["logging"], content["init_args"]["plans"].get("mass", {})
    each = np.subtract(log["epoch_end_timestamps"], log["epoch_start_timestamps"])
    return {
        "iterations": mass.get("iterations") if schedule is None else schedule[1],
        "seconds": float(each.sum()),
        "validation": list(zip(each.cumsum().tolist(), map(float, log["mean_fg_dice"]), strict=True)),
    }


def predict(model: ModelName, *, dataset: int, inference: str | None, predictions: str, scores: str, cost: str) -> None:
    """Predict the test scans of a dataset as nnUNetv2_predict does, one after another, and score them.

    Args:
        model: the trained model.
        dataset: id of the dataset.
        inference: one of :data:`hyperparameters.INFERENCES`; None for a network without a choice.
        predictions: output folder, which is emptied first.
        scores: CSV file to write: the rows of ``evaluate_folder`` with a column ``patient``.
        cost: JSON file to write: ``seconds`` of the prediction, with reading and writing, and the number of ``scans``.
    """
    raw = RawDataset.load(dataset)
    shutil.rmtree(predictions, ignore_errors=True)
    Path(predictions).mkdir(parents=True)
    predictor = nnUNetPredictor(device=torch.device(model.device), allow_tqdm=False)
    folder = get_output_folder(raw.name, model.trainer, model.plans, model.configuration)
    predictor.initialize_from_trained_model_folder(folder, (model.fold,), FINAL_CHECKPOINT)
    if inference is not None:
        predictor.network.inference = inference
    start = time.perf_counter()
    predictor.predict_from_files_sequential(str(raw.folder / TEST), predictions)
    seconds = time.perf_counter() - start
    table = score_test_scans(raw, Path(predictions))
    with atomic_path(Path(scores)) as temporary:
        table.to_csv(temporary, index=False)
    write_json(Path(cost), {"seconds": seconds, "scans": len(raw.cases(TEST))})


def _check_split(trainer: nnUNetTrainer, dataset: str, fold: int) -> None:
    """Make sure that a trainer with a split of its own trains and validates on the scans of the fold."""
    entries = read_json(base_folder("preprocessed") / dataset / SPLITS_JSON, "run again")
    chosen = [sorted(cases) for cases in trainer.do_split()]
    if chosen != [sorted(entries[fold][part]) for part in ("train", "val")]:
        raise UserError(
            f"{type(trainer).__name__} has a split of its own, of {len(chosen[0])} and {len(chosen[1])} scans, and not "
            f"fold {fold} of {dataset}: take it out of the grid"
        )


def _describe(device: str) -> str:
    """Name of a GPU; otherwise the device, and whether our trainers compute in bfloat16 on this CPU."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{device}, bfloat16" if device == "cpu" and NATIVE_BFLOAT16 else device


def _keep_whole(folders: Sequence[Path], name: str) -> bool:
    """Whether every folder has this checkpoint, complete; otherwise its files are removed.

    A process that is killed while nnU-Net writes a checkpoint leaves a zip archive without table of contents.
    """
    files = [folder / name for folder in folders]
    whole = all(zipfile.is_zipfile(file) for file in files)
    for file in files:
        if not whole:
            file.unlink(missing_ok=True)
    return whole


def _peak_memory_mb() -> float:
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 2**20
    # psutil has the peak on Windows only; the module resource exists on all other systems.
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


STEPS: dict[str, Callable[..., None]] = {"isolate": isolate, "train": train, "predict": predict}


def run_step(name: str, arguments: str) -> None:
    """Run a step of :data:`STEPS` with arguments in JSON, ``model`` among them (:class:`job.ModelName`)."""
    others = json.loads(arguments)
    STEPS[name](ModelName(**others.pop("model")), **others)


if __name__ == "__main__":
    with exit_on_user_error():
        run_step(*sys.argv[1:])
