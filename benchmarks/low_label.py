"""MASSTrainer and its controls at few labels: one schedule for all, every test patient once, a table with paired tests.

    python benchmarks/low_label.py work --real ../shared/data/chaos_t2_mr          # small, for a CPU
    python benchmarks/low_label.py work_full --real ../shared/data/chaos_t2_mr \\
        --patch-size 32 256 256 --size 32 256 256 --features 32 --epochs 200 --iterations 250 --device cuda

Started again with the same options it goes on where it stopped: what is scored is not trained again, and a training
that was cut off goes on from its last checkpoint. The data, the models and the scores lie in the folder; the table is
printed and written to table.md.
"""

import argparse
import shutil
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from groups import DATASETS, IDS, MODALITIES, PHANTOM, nnunet_folders, prepare, rates_of
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint
from table import write_table

from mass_nnunet import trainers
from mass_nnunet.evaluation import evaluate_folder
from mass_nnunet.files import atomic_path, read_json, write_json
from mass_nnunet.paths import dataset_folder
from mass_nnunet.splits import find_fold

PLANS, CONFIGURATION = "MASSPlans", "3d_fullres"
DEFAULT_METHODS = ("SupervisedTrainer", "DualStreamTrainer", "MASSTrainerNoAtlas", "MASSTrainer")


@dataclass(frozen=True)
class Run:
    """One training and what is scored of it."""

    group: Path
    method: str
    fold: int
    rate: float
    seed: int
    inferences: tuple[str, ...]

    @property
    def alone(self) -> bool:
        """Whether each modality is trained by itself."""
        return not issubclass(getattr(trainers, self.method), trainers.MASSTrainer)

    @property
    def modalities(self) -> list[int]:
        """Those that are tested: the drawn CT beside real MRI was tested with the phantom."""
        return [0, 1] if self.group.name == PHANTOM else [1]

    def scores(self, modality: int, inference: str) -> Path:
        """Where the scores of one modality's test scans are written."""
        name = f"{MODALITIES[modality]}_{self.method}_{inference}_{self.rate:g}_{self.seed}.csv"
        return self.group / "scores" / name

    def finish(self, device: torch.device) -> None:
        """Train, predict and score, unless that is done."""
        with nnunet_folders(self.group):
            for modality in self.modalities if self.alone else self.modalities[:1]:
                models = [modality] if self.alone else self.modalities
                files = [self.scores(m, inference) for m in models for inference in self.inferences]
                if all(file.exists() for file in files):
                    continue
                seconds = self._train(IDS[modality], device)
                for m in models:
                    for inference in self.inferences:
                        self._score(m, inference, device, seconds)

    def _model(self, dataset_id: str) -> Path:
        return dataset_folder("results", int(dataset_id)) / f"{self.method}__{PLANS}__{CONFIGURATION}"

    def _train(self, dataset_id: str, device: torch.device) -> float:
        """Train to the end; returns the seconds that took, this time and before."""
        fold = self._model(dataset_id) / f"fold_{self.fold}"
        clock = fold / "seconds.json"
        if (fold / "checkpoint_final.pth").exists():
            return read_json(clock, "delete the fold") if clock.exists() else float("nan")
        torch.manual_seed(self.seed)
        np.random.seed(self.seed)  # noqa: NPY002, what nnU-Net draws from
        start = time.perf_counter()
        resume = (fold / "checkpoint_latest.pth").exists()
        # nnUNetv2_train, but for the validation at the end, which nothing here reads.
        trainer = get_trainer_from_args(dataset_id, CONFIGURATION, self.fold, self.method, PLANS, resume, device)
        maybe_load_checkpoint(trainer, resume, False, None)
        trainer.run_training()
        seconds = time.perf_counter() - start
        # What an interrupted training took before is not known.
        write_json(clock, float("nan") if resume else seconds)
        return seconds

    def _score(self, modality: int, inference: str, device: torch.device, seconds: float) -> None:
        """Predict the test scans as nnUNetv2_predict does, and write their scores."""
        raw = dataset_folder("raw", int(IDS[modality]))
        # Of this run alone: another process may be at another method.
        predictions = self.group / "predictions" / self.scores(modality, inference).stem
        shutil.rmtree(predictions, ignore_errors=True)
        predictions.mkdir(parents=True)
        predictor = nnUNetPredictor(device=device, allow_tqdm=False)
        predictor.initialize_from_trained_model_folder(str(self._model(IDS[modality])), (self.fold,))
        if not self.alone:
            predictor.network.inference = inference
        start = time.perf_counter()
        predictor.predict_from_files_sequential(str(raw / "imagesTs"), str(predictions))
        per_scan = (time.perf_counter() - start) / len(list((raw / "imagesTs").iterdir()))
        labels = read_json(raw / "dataset.json", "convert again")["labels"]
        scores = evaluate_folder(predictions, raw / "labelsTs", labels)
        scores = scores.assign(
            data=self.group.name.split("_")[0],
            modality=MODALITIES[modality],
            rate=self.rate,
            seed=self.seed,
            method=self.method,
            inference=inference,
            training_seconds=seconds,
            seconds_per_scan=per_scan,
        )
        with atomic_path(self.scores(modality, inference)) as temporary:
            scores.to_csv(temporary, index=False)


def runs_of(groups: list[Path], args: argparse.Namespace) -> list[Run]:
    """All trainings, seed by seed, so that an early stop leaves whole comparisons."""
    runs = []
    for seed, group in product(range(args.seeds), groups):
        splits = group / "preprocessed" / DATASETS[-1]
        for rate, method in product(rates_of(group, args), args.methods):
            fold = find_fold(splits, rate, seed)
            trainer = getattr(trainers, method)
            atlas = issubclass(trainer, trainers.MASSTrainer) and trainer.has_atlas()
            inferences = tuple(args.inference) if atlas else ("segmentation",)
            runs.append(Run(group, method, fold, rate, seed, inferences))
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder for data, models and scores")
    parser.add_argument("--real", type=Path, help="shared/data/chaos_t2_mr; without it only the phantom is run")
    parser.add_argument("--methods", nargs="+", default=DEFAULT_METHODS, choices=sorted(trainers.__all__))
    parser.add_argument("--inference", nargs="+", default=("segmentation", "atlas", "fused"))
    parser.add_argument(
        "--label-rates", type=float, nargs="+", default=(0.1, 0.25, 0.5, 1.0), help="some of them, once they are split"
    )
    parser.add_argument(
        "--real-label-rates", type=float, nargs="+", default=(0.15,), help="default: 0.15, 2 of the 11 real MRIs"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train-scans", type=int, default=20, help="drawn, of each modality")
    parser.add_argument("--val-scans", type=int, default=2)
    parser.add_argument("--test-scans", type=int, default=12)
    parser.add_argument("--size", type=int, nargs=3, default=(32, 128, 128), help="of drawn scans, voxels z y x")
    parser.add_argument("--patch-size", type=int, nargs=3, default=(16, 64, 64))
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("-np", type=int, default=2, help="processes that draw and preprocess")
    args = parser.parse_args()
    groups = prepare(args.root.resolve(), args)
    for run in runs_of(groups, args):
        run.finish(torch.device(args.device))
        print(write_table([file for group in groups for file in sorted((group / "scores").glob("*.csv"))], args.root))


if __name__ == "__main__":
    main()
