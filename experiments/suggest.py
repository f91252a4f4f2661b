"""Simulated annotation: Dice of test scans against the number of annotated scans, by the strategy that chooses them.

    python experiments/suggest.py work --phantom --seeds 3 --folds 0 1 2   # makes a small phantom first; hours on a CPU
    python experiments/suggest.py work -d 801 802 --folds 0 3 6            # a group that is split and planned

Real pairs are prepared by real.py (``--size brief --prepare-only``), whose folders nnU-Net's variables then name.

The labels that a fold hides play the expert. In each round a strategy chooses ``-n`` scans of all modalities, their
labels are used, and a model is trained anew. All strategies begin with the model of the fold itself. Nothing is written
into nnU-Net's folders: splits and models lie in the given folder. If it is started again, the script continues.

suggest_strategies.py says what the strategies are.
"""

import argparse
import shutil
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from nnunetv2.utilities.file_path_utilities import get_output_folder

from groups import IDS, PHANTOM, nnunet_folders, prepare
from mass_nnunet.annotation.nested import extended
from mass_nnunet.annotation.pool import load_pools
from mass_nnunet.api import Model
from mass_nnunet.benchmark.run.job import ModelName
from mass_nnunet.benchmark.run.steps import predict, train
from mass_nnunet.data.files import atomic_path, read_json, write_json
from mass_nnunet.data.paths import base_folder, dataset_name
from mass_nnunet.data.splits import SPLITS_JSON
from mass_nnunet.errors import exit_on_user_error
from mass_nnunet.runtime.env import temporary_environment
from suggest_strategies import STRATEGIES, Chosen, Models, hidden

PLANS, CONFIGURATION = "MASSPlans", "3d_fullres"


class Simulation:
    """Folds, models and scores of a simulation, in a folder of its own."""

    def __init__(self, root: Path, ids: Sequence[int], trainer: str, device: str) -> None:
        self.root, self.ids, self.trainer, self.device = root, list(ids), trainer, device
        self.names = [dataset_name(ident) for ident in ids]
        self.record, self.originals = root / "folds.json", 0

    def begin(self) -> None:
        """Links to the preprocessed scans, and a copy of the splits."""
        splits = base_folder("preprocessed") / self.names[0] / SPLITS_JSON
        self.originals = len(read_json(splits, "split the group first"))
        for name in self.names:
            source, folder = base_folder("preprocessed") / name, self.root / "preprocessed" / name
            folder.mkdir(parents=True, exist_ok=True)
            for path in source.iterdir():
                if path.name != SPLITS_JSON and not (folder / path.name).exists():
                    (folder / path.name).symlink_to(path.resolve())
            if not (folder / SPLITS_JSON).exists():
                shutil.copyfile(source / SPLITS_JSON, folder / SPLITS_JSON)

    def environment(self) -> dict[str, str]:
        """nnU-Net's variables for the simulation."""
        return {f"nnUNet_{kind}": str(self.root / kind) for kind in ("preprocessed", "results")}

    def extend(self, key: str, fold: int, choose: Callable[[], Chosen]) -> int:
        """The fold with the scans that a strategy adds to a fold; it is chosen once."""
        known = read_json(self.record, "") if self.record.exists() else {}
        if key not in known:
            chosen, number = choose(), self.originals + len(known)  # entries after that are of a killed run
            for name in self.names:
                file = self.root / "preprocessed" / name / SPLITS_JSON
                entries = read_json(file, "")[:number]
                entries.append(extended(entries[fold], fold, [case for its, case in chosen if its == name]))
                write_json(file, entries)
            known[key] = {"fold": number, "chosen": chosen}
            write_json(self.record, known)
        return known[key]["fold"]

    def dice(self, fold: int, seed: int) -> float:
        """Train a model on a fold and score it on the test scans: the mean Dice of organs, scans and modalities."""
        model = ModelName(self.trainer, PLANS, CONFIGURATION, fold, self.device)
        work = self.root / "scores" / str(fold)
        work.mkdir(parents=True, exist_ok=True)
        if not (work / "train.json").exists():
            train(model, datasets=self.names, seed=seed, cost=str(work / "train.json"))
        means = []
        for ident, name in zip(self.ids, self.names, strict=True):
            scores, cost = work / f"{name}.csv", work / f"{name}.json"
            if not cost.exists():
                paths = {"predictions": str(work / name), "scores": str(scores), "cost": str(cost)}
                predict(model, dataset=ident, inference=None, **paths)
            means.append(pd.read_csv(scores)["dice"].mean())
        return float(np.mean(means))

    def models(self, fold: int) -> Models:
        """The trained models of a fold, by the name of their dataset; each is loaded once."""
        loaded: dict[str, Model] = {}

        def model(name: str) -> Model:
            if name not in loaded:
                folder = get_output_folder(name, self.trainer, PLANS, CONFIGURATION)
                loaded[name] = Model.load(folder, fold, device=self.device)
            return loaded[name]

        return model

    def annotated(self, fold: int) -> int:
        """Number of training scans of a fold, in all datasets."""
        files = [self.root / "preprocessed" / name / SPLITS_JSON for name in self.names]
        return sum(len(read_json(file, "")[fold]["train"]) for file in files)


def chosen_by(strategy: str, simulation: Simulation, fold: int, count: int, rng: np.random.Generator) -> Chosen:
    """The scans that a strategy adds to a fold."""
    pools = [hidden(pool) for pool in load_pools(simulation.ids, fold)]
    return STRATEGIES[strategy](pools, simulation.models(fold), count, rng)


def simulate(
    simulation: Simulation, folds: Sequence[int], strategies: Sequence[str], rounds: int, count: int
) -> pd.DataFrame:
    """A row for each draw, strategy and round: number of annotated scans, and Dice."""
    rows = []
    for draw in folds:
        start = {"draw": draw, "annotated": simulation.annotated(draw), "dice": simulation.dice(draw, draw)}
        for strategy in strategies:
            rows.append({"strategy": strategy, "round": 0, **start})
            fold = draw
            for number in range(1, rounds + 1):
                rng, before = np.random.default_rng([draw, number]), fold

                choose = partial(chosen_by, strategy, simulation, before, count, rng)
                fold = simulation.extend(f"{draw}_{strategy}_{number}", before, choose)
                dice = simulation.dice(fold, draw)
                rows.append(
                    {"strategy": strategy, "round": number, "draw": draw}
                    | {"annotated": simulation.annotated(fold), "dice": dice}
                )
                table = pd.DataFrame(rows)
                with atomic_path(simulation.root / "curves.csv") as file:
                    table.to_csv(file, index=False)
    return pd.DataFrame(rows)


def needed(curves: pd.DataFrame, strategy: str) -> float | None:
    """Share of the annotations of ``random`` with which a strategy reaches the last Dice of it; None if it does not."""
    means = curves.groupby(["strategy", "annotated"])["dice"].mean()
    goal, last = means["random"].iloc[-1], means["random"].index[-1]
    its = means[strategy]
    for (n0, d0), (n1, d1) in zip(its.items(), its.iloc[1:].items(), strict=False):
        if d1 >= goal:
            return float(n0 + (n1 - n0) * max(0.0, (goal - d0) / max(d1 - d0, 1e-9))) / float(last)
    return None


def report(curves: pd.DataFrame) -> str:
    """Mean Dice by number of annotated scans, and how many annotations each strategy needs."""
    table = curves.pivot_table(index="strategy", columns="annotated", values="dice").round(3)
    if "random" in table.index:
        shares = {name: needed(curves, name) for name in table.index}
        table["share of random's annotations"] = [
            "more than 1" if share is None else f"{share:.2f}" for share in (shares[name] for name in table.index)
        ]
    return table.to_string()


def small_phantom(root: Path, args: Namespace) -> list[Path]:
    """Make, split and plan a small phantom."""
    return prepare(
        root,
        Namespace(
            real=None, label_rates=(0.1,), seeds=args.seeds, train_scans=10, val_scans=1, test_scans=4,
            size=(24, 96, 96), phantom_seed=0, patch_size=(16, 48, 48), features=8, epochs=args.epochs, iterations=20,
            np=1,
        ),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder for splits, models and scores")
    parser.add_argument("--phantom", action="store_true", help="make a small phantom there, and simulate on it")
    parser.add_argument("-d", type=int, nargs="+", default=[int(ident) for ident in IDS])
    parser.add_argument("--folds", type=int, nargs="+", default=[0], help="folds to begin with: the draws")
    parser.add_argument(
        "--strategies", nargs="+", choices=STRATEGIES, default=["random", "suggest", "entropy", "power"]
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("-n", type=int, default=2, help="scans that are annotated in a round")
    parser.add_argument("--seeds", type=int, default=1, help="draws of --phantom")
    parser.add_argument(
        "--epochs",
        type=int,
        default=20,
        help="of --phantom, 20 steps each; with 8, some organs are not learned",
    )
    parser.add_argument("--trainer", default="MASSTrainer")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    root = args.root.resolve()
    with exit_on_user_error():
        folders = small_phantom(root, args) if args.phantom else []
        variables = nnunet_folders(root / PHANTOM) if folders else temporary_environment({})
        with variables:
            simulation = Simulation(root / "simulation", args.d, args.trainer, args.device)
            simulation.begin()
            with temporary_environment(simulation.environment()):
                print(report(simulate(simulation, args.folds, args.strategies, args.rounds, args.n)))


if __name__ == "__main__":
    main()
