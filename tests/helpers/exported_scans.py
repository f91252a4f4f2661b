"""Raw datasets with splits, and folders of scans that an expert corrects, for tests of the loop of annotation."""

import json
from collections.abc import Sequence
from pathlib import Path

import SimpleITK as sitk

from mass_nnunet.annotation.exchange import Outgoing, write_export
from mass_nnunet.annotation.pool import load_pool
from mass_nnunet.cli import main
from mass_nnunet.data.raw import RawDataset
from tiny_group import CT, MRI
from tiny_raw import write_raw_dataset

IDS = {CT: 801, MRI: 802}
CASES = {CT: tuple(f"ct{i}" for i in range(5)), MRI: tuple(f"mr{i}" for i in range(5))}
HIDDEN = "ct1"
"""A scan whose label fold 0 hides."""
UNLABELLED = {CT: ("ctun", "ctzz"), MRI: ("mrun",)}


def write_pair(root: Path) -> None:
    """Five labelled scans of each modality, a few without labels, one to test on; one of four labelled in fold 0."""
    for seed, (name, channel) in enumerate(((CT, "CT"), (MRI, "MRI"))):
        test = [f"{channel.lower()}test"]
        write_raw_dataset(root / "raw", name, channel, CASES[name], UNLABELLED[name], test, seed=seed)
    assert main(["split", "-d", "801", "802", "--label-rates", "0.25", "1.0"]) == 0


def export(folder: Path, *scans: tuple[str, str], fold: int | None = 0, proposal: Path | None = None) -> Path:
    """Export scans, given by dataset and case, all with the same proposed labels, or with empty ones."""
    outgoing = []
    for name, case in scans:
        dataset = RawDataset.load(IDS[name])
        outgoing.append(Outgoing(dataset, case, load_pool(dataset, 0).files(case), proposal))
    write_export(folder, fold, list(dict.fromkeys(name for name, _ in scans)), outgoing)
    return folder


def label_file(folder: Path, name: str, case: str) -> Path:
    """Where the corrected labels of a scan belong."""
    return folder / name / f"{case}_label.nii.gz"


def correct(folder: Path, name: str, case: str, value: int = 4, start: Sequence[int] = (2, 4, 4)) -> sitk.Image:
    """Annotate an organ as a box, and save it as an editor does."""
    file = label_file(folder, name, case)
    label = sitk.ReadImage(str(file))
    z, y, x = start
    label[x : x + 9, y : y + 9, z : z + 3] = value
    sitk.WriteImage(label, str(file), True)
    return label


def take_in(folder: Path, *words: str) -> int:
    """Exit status of ``mass_nnunet annotate-in``."""
    return main(["annotate-in", str(folder), *words])


def contents(root: Path) -> dict[str, object]:
    """The files below a folder; of label maps their values, as JSON its content."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.name.startswith("lock-"):
            is_json, name = path.suffix == ".json", str(path.relative_to(root))
            found[name] = json.loads(path.read_text()) if is_json else path.read_bytes()
    return found
