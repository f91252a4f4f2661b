"""Damaged documents: dataset.json and its like, splits, plans, grids."""

import json
import random
from pathlib import Path
from typing import Any, ClassVar

import yaml

from fuzz_target import Target, allow
from mass_nnunet.benchmark.run.grid import load_grid
from mass_nnunet.data.files import read_json
from mass_nnunet.data.outdated import check_splits
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.splits import find_fold, load_fold
from mass_nnunet.networks.strangers import check_classes
from mass_nnunet.trainers import MASSTrainer
from mutations import damaged, mutate, mutated_json
from tiny_group import CT
from tiny_raw import write_raw_dataset


class DatasetJson(Target):
    """dataset.json, and patients.json and annotated.json beside it."""

    name = "dataset.json"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        cases = [f"a{number}" for number in range(3)]
        patients = {case: f"p{case}" for case in (*cases, "u", "t")}
        self.raw = write_raw_dataset(folder, CT, "CT", cases, ["u"], ["t"], shape=(2, 4, 4), patients=patients)
        self.sound = {name: json.loads((self.raw / name).read_text()) for name in ("dataset.json", "patients.json")}
        self.sound["annotated.json"] = {"a0": ["liver"], "a1": ["liver", "spleen"]}

    def damage(self, rng: random.Random) -> None:
        for name, content in self.sound.items():
            (self.raw / name).write_text(json.dumps(content))
        name = rng.choice(["dataset.json", *self.sound])
        (self.raw / name).write_bytes(mutated_json(self.sound[name], rng))

    def read(self) -> None:
        dataset = RawDataset.read(self.raw)
        assert isinstance((dataset.channels, dataset.licence, dataset.reference), tuple)
        dataset.patients()
        dataset.annotated()
        assert dataset.values


class Splits(DatasetJson):
    """splits_final.json."""

    name = "splits"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (self.raw / "annotated.json").unlink(missing_ok=True)
        entry = {"train": ["a0"], "val": ["a1"], "unlabelled": ["a2", "u"], "label_rate": 0.5, "seed": 0}
        self.entries = [entry, entry | {"label_rate": 1.0, "sparse": 2, "annotated": {"a0": ["liver"]}}]

    def damage(self, rng: random.Random) -> None:
        (self.folder / "splits_final.json").write_bytes(mutated_json(self.entries, rng))

    def read(self) -> None:
        dataset = RawDataset.read(self.raw)
        for use in (
            lambda: [hash(load_fold(self.folder, number).train) for number in (0, 1)],
            lambda: find_fold(self.folder, 0.5, 0),
            lambda: check_splits(dataset, self.folder),
            lambda: load_fold(self.folder, 0).as_entry(),
        ):
            allow(use)


class Plans(Target):
    """MASSPlans.json of a dataset or of its partner, as a training and a model of strangers read them."""

    name = "plans"
    needs_plans = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.own, self.other = (
            file for file in sorted((folder / "preprocessed").glob("*/MASSPlans.json")) if file.is_file()
        )
        self.sound = {file: json.loads(file.read_text()) for file in (self.own, self.other)}
        self.dataset = json.loads((self.own.parent / "dataset.json").read_text())

    def damage(self, rng: random.Random) -> None:
        for file, content in self.sound.items():
            file.write_text(json.dumps(content))
        file = rng.choice(list(self.sound))
        if rng.random() < 0.5:  # half of the changes where our own settings are
            content = self.sound[file]
            file.write_bytes(json.dumps(content | {"mass": mutate(content["mass"], rng)}).encode())
        else:
            file.write_bytes(mutated_json(self.sound[file], rng))

    def read(self) -> None:
        plans = read_json(self.own, "plan again")
        allow(lambda: check_classes(self.own, plans))
        trainer = MASSTrainer.__new__(MASSTrainer)
        if isinstance(plans, dict):  # nnU-Net reads the file itself before it makes a trainer
            trainer._check_beginning(plans | {"continue_training": False}, "3d_fullres", 0, self.dataset)


class GridYaml(Target):
    """grid.yaml."""

    name = "grid.yaml"
    sound: ClassVar[dict[str, Any]] = {
        "datasets": [801, 802],
        "methods": ["SupervisedTrainer", "MASSTrainer"],
        "label_rates": [0.1, 0.5],
        "seeds": [0, 1, 2],
        "output": "out",
        "device": "cpu",
        "inference": ["segmentation"],
        "note": "x",
    }
    SNIPPETS: ClassVar = (
        *(
            "2021-99-99",
            "&a [*a]",
            "!!python/object/apply:os.system [x]",
            "!!python/name:os.system",
            "0x",
            "1_0",
            "1:60",
        ),
        *("~", "!!binary a", "!!int x", "!!float x", "!!timestamp x", "? [a]", "{[a]: b}", "!!set {a}", "!!omap [a]"),
        *("9" * 5000, "~nobody/x", '"a\\0b"', "*missing", "<<: 1", "!!str", "!!map x", "!!seq x", "- -", "%YAML 9.9"),
        "&b [&c [&d [x,x,x,x,x,x,x,x,x],*d,*d,*d,*d,*d,*d,*d,*d],*c,*c,*c,*c,*c,*c,*c,*c]",
    )

    def damage(self, rng: random.Random) -> None:
        kind = rng.randrange(10)
        if kind == 0:
            text = b"datasets: " + b"[" * rng.choice((100, 5000))
        elif kind < 4:
            lines = yaml.safe_dump(self.sound, sort_keys=False, default_flow_style=None).splitlines()
            line = rng.randrange(len(lines))
            key = lines[line].partition(":")[0]
            lines[line] = f"{rng.choice((key, 'x', key))}: {rng.choice(self.SNIPPETS)}"
            text = "\n".join(lines).encode()
        elif kind < 6:
            text = damaged(yaml.safe_dump(self.sound).encode(), rng)
        else:
            text = json.dumps(mutate(self.sound, rng)).encode()  # JSON is YAML
        (self.folder / "grid.yaml").write_bytes(text)

    def read(self) -> None:
        assert load_grid(self.folder / "grid.yaml").cells
