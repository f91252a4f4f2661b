"""MASSTrainer where labels are missing: a modality without labels, one modality alone, partial labels, outside labels.

    python experiments/low_label.py work --real ../shared/data/chaos_t2_mr --prepare-only
    python experiments/settings.py work/real_0 settings                     # all settings, one draw
    python experiments/settings.py work/real_0 settings --settings mri-unlabelled --draw 1

The scans are those of a group of low_label.py, synthetic CT beside real MRI, on its grid and with its schedule. Each
setting is a folder ``settings/SETTING_DRAW`` with links to these scans, a split and plans of its own, and a grid of
`mass_nnunet benchmark`. If it is started again, the script continues. The table of all settings that are done is
printed after each of them and written to table.md.

The labels of ``teacher-...`` simulate another tool: they are true labels of scans whose labels the training does not
know, made worse.
"""

import argparse
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import nibabel
import numpy as np
from scipy.ndimage import shift

from groups import IDS, nnunet_folders, run
from mass_nnunet.benchmark.run.grid import DEVICES, Grid, save_grid
from mass_nnunet.data.annotated import ANNOTATED_JSON, Annotated
from mass_nnunet.data.dataset_json import DATASET_JSON
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.names import image_name, label_name
from mass_nnunet.data.outside import PSEUDO
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import PATIENTS_JSON, TEST, TRAINING, UNLABELLED, Part, RawDataset
from mass_nnunet.data.splits import SPLITS_JSON, Fold, load_fold
from mass_nnunet.errors import exit_on_user_error
from mass_nnunet.labels import BACKGROUND, LABELS
from table import OUTPUT, write_table

FEW, MANY = 0.15, 0.5
"""Label rates: 3 CTs and 2 MRIs, or 10 CTs and 6 MRIs."""
SHIFT = 15.0
"""By how many mm along the first two axes outside labels are shifted: two voxels of the training's grid."""
MISSING = "spleen"
"""The organ that one of the simulated tools does not know."""
_CT, _MRI = IDS
_GROUP = ("MASSTrainer", "DualStreamTrainerOrganContrast")
_ALONE = ("MASSTrainer", "SingleModalityTrainerOrganContrast")

Truth = tuple[np.ndarray, Sequence[float]]
"""A label map and the edges of its voxels in mm."""


def shifted(truth: Truth) -> np.ndarray:
    """The label map, :data:`SHIFT` mm off."""
    labels, edges = truth
    return shift(labels, [SHIFT / edges[0], SHIFT / edges[1], 0], order=0)


def without_organ(truth: Truth) -> np.ndarray:
    """The label map without :data:`MISSING`."""
    labels, _ = truth
    return np.where(labels == LABELS[MISSING], LABELS[BACKGROUND], labels)


@dataclass(frozen=True)
class Setting:
    """Which labels there are, and the methods that are trained with them."""

    methods: tuple[str, ...]
    rate: float = FEW
    datasets: tuple[str, ...] = IDS
    unlabelled: tuple[str, ...] = ()
    """Datasets that hide all their labels."""
    incomplete: str | None = None
    """What becomes of a scan from which organs were removed: ``partial``, or ``dropped`` from the annotated ones."""
    teacher: Callable[[Truth], np.ndarray] | None = None
    """What makes the outside labels of the other scans; None for no outside labels."""


SETTINGS = {
    "both": Setting(_GROUP),
    "mri-unlabelled": Setting((*_GROUP, "PooledTrainerOrganContrast"), unlabelled=(_MRI,)),
    "ct-unlabelled": Setting((*_GROUP, "PooledTrainerOrganContrast"), unlabelled=(_CT,)),
    "mri-alone": Setting(_ALONE, datasets=(_MRI,)),
    "ct-alone": Setting(_ALONE, datasets=(_CT,)),
    "complete": Setting(("MASSTrainer",), MANY),
    "partial": Setting(("MASSTrainer",), MANY, incomplete="partial"),
    "dropped": Setting(("MASSTrainer",), MANY, incomplete="dropped"),
    "teacher-shifted": Setting(("MASSTrainer",), teacher=shifted),
    "teacher-incomplete": Setting(("MASSTrainer",), teacher=without_organ),
    "teacher-true": Setting(("MASSTrainer",), teacher=lambda truth: truth[0]),
}


def known_organs(cases: Sequence[str], organs: Sequence[str], seed: int) -> Annotated:
    """The organs that are left where a third of those of all cases is removed at random; each case keeps one.

    Cases that keep all of them are left out, as in annotated.json.
    """
    pairs = list(product(cases, organs))
    known = {case: list(organs) for case in cases}
    left = len(pairs) // 3
    for number in np.random.default_rng(seed).permutation(len(pairs)):
        case, organ = pairs[number]
        if left and len(known[case]) > 1:
            known[case].remove(organ)
            left -= 1
    return {case: tuple(names) for case, names in known.items() if len(names) < len(organs)}


def prepare(source: Path, folder: Path, setting: Setting, draw: int, np_: int) -> None:
    """Link and split a setting, and plan it where its plans differ from the group's, unless that is done."""
    done = folder / "prepared"
    if done.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    with nnunet_folders(source):
        sources = [RawDataset.load(int(ident)) for ident in setting.datasets]
        preprocessed = [dataset_folder("preprocessed", dataset.id) for dataset in sources]
    plans = read_json(preprocessed[0] / "MASSPlans.json", "make the group with low_label.py")
    with nnunet_folders(folder):
        for dataset, planned in zip(sources, preprocessed, strict=True):
            _link(dataset, folder / "raw" / dataset.name)
            shutil.copytree(planned, dataset_folder("preprocessed", dataset.id))
        _split(setting, draw)
        for number, dataset in enumerate(sources):
            fold = load_fold(dataset_folder("preprocessed", dataset.id), draw)
            if setting.teacher is not None:
                _make_teacher(dataset, folder / "raw" / dataset.name, fold, setting.teacher)
            if setting.incomplete is not None:
                organs = [name for name in dataset.labels if name != BACKGROUND]
                known = known_organs(fold.train, organs, len(sources) * draw + number)
                if setting.incomplete == "partial":
                    write_json(folder / "raw" / dataset.name / ANNOTATED_JSON, known)
                else:
                    _hide(dataset, draw, fold, sorted(known))
        if setting.incomplete == "partial":
            _split(setting, draw)
        if setting.teacher is not None or setting.datasets != IDS:
            spacing = plans["configurations"]["3d_fullres"]["spacing"]
            asked = read_json(source / "planned.json", "make the group with low_label.py")
            run("plan", "-d", *setting.datasets, "--spacing", *spacing, *asked, "-np", np_)
    done.touch()


def _split(setting: Setting, draw: int) -> None:
    hidden = ["--unlabelled", *setting.unlabelled] if setting.unlabelled else []
    rate = ["--label-rates", setting.rate, "--seeds", draw + 1]
    # One patient to validate on, as in low_label.py.
    run("split", "-d", *setting.datasets, *rate, "--val-fraction", 0.01, *hidden)


def _link(dataset: RawDataset, folder: Path) -> None:
    """Link the files of a raw dataset into a new folder."""
    for part in (*Part, *(part.labels for part in (TRAINING, TEST)), DATASET_JSON, PATIENTS_JSON):
        source = (dataset.folder / part).resolve()
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            (folder / part).mkdir()
            for file in source.iterdir():
                (folder / part / file.name).symlink_to(file.resolve())
        elif source.exists():
            (folder / part).symlink_to(source)


def _hide(dataset: RawDataset, draw: int, fold: Fold, cases: Sequence[str]) -> None:
    """Take cases out of the annotated ones of a fold."""
    path = dataset_folder("preprocessed", dataset.id) / SPLITS_JSON
    train = tuple(case for case in fold.train if case not in cases)
    entries = read_json(path, "split again")
    entries[draw] = replace(fold, train=train, unlabelled=tuple(sorted((*fold.unlabelled, *cases)))).as_entry()
    write_json(path, entries)


def _make_teacher(dataset: RawDataset, folder: Path, fold: Fold, make: Callable[[Truth], np.ndarray]) -> None:
    """Move the unlabelled scans of a fold to ``imagesUn``, where another tool may label them, and write its labels.

    The fold stays as it is.
    """
    for part in (PSEUDO, UNLABELLED):
        (folder / part).mkdir(exist_ok=True)
    for case in fold.unlabelled:
        name = image_name(case, 0, dataset.ending)
        label = folder / TRAINING.labels / label_name(case, dataset.ending)
        (folder / TRAINING / name).rename(folder / UNLABELLED / name)
        truth = nibabel.load(dataset.label_path(TRAINING, case))
        made = make((np.asarray(truth.dataobj).astype(np.uint8), truth.header.get_zooms()))
        nibabel.save(nibabel.Nifti1Image(made, truth.affine), folder / PSEUDO / label.name)
        label.unlink()
    content = folder / DATASET_JSON
    content.unlink()
    write_json(content, dataset.content | {"numTraining": len(fold.train) + len(fold.val)})


def grid_of(folder: Path, setting: Setting, draw: int, device: str) -> Grid:
    """The grid of a setting."""
    return Grid(
        datasets=tuple(int(ident) for ident in setting.datasets),
        methods=setting.methods,
        label_rates=(setting.rate,),
        seeds=(draw,),
        output=folder / OUTPUT,
        device=device,
        inference=("segmentation", "adapted"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("group", type=Path, help="a group of low_label.py, such as work/real_0")
    parser.add_argument("root", type=Path, help="folder for data, models and scores")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=SETTINGS)
    parser.add_argument("--draw", type=int, default=0, help="seed of the split, the removed organs and the training")
    parser.add_argument("--device", default="cpu", choices=DEVICES)
    parser.add_argument("-np", type=int, default=2, help="processes that preprocess")
    args = parser.parse_args()
    source, root = args.group.resolve(), args.root.resolve()
    with exit_on_user_error():
        for name in args.settings:
            folder = root / f"{name}_{args.draw}"
            prepare(source, folder, SETTINGS[name], args.draw, args.np)
            save_grid(grid_of(folder, SETTINGS[name], args.draw, args.device))
            with nnunet_folders(folder):
                run("benchmark", "run", folder / OUTPUT)
            print(write_table(sorted(root.glob("*_*/")), root))


if __name__ == "__main__":
    main()
