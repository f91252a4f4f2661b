"""The folder in which scans go to an editor and come back: scans, proposed labels, tables of colours, and a record.

FOLDER/README.txt  export.json
FOLDER/Dataset801_BTCV/labels.ctbl  labels.txt  btcv_0061.nii.gz  btcv_0061_label.nii.gz
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.label_map import read_label_map
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.volume import label_like, read_volume, write_volume
from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND
from mass_nnunet.reporting.drawing import organ_colours

EXPORT_JSON = "export.json"
ENDING = ".nii.gz"
_VERSION = 1


@dataclass(frozen=True)
class Exported:
    """A scan in the folder.

    Attributes:
        dataset: name of its dataset.
        case: its identifier.
        scan: digest of its files in the dataset.
        label: digest of the proposed labels (:func:`digest_of`).
    """

    dataset: str
    case: str
    scan: str
    label: str

    def label_file(self, folder: Path) -> Path:
        """Where the corrected labels are expected."""
        return folder / self.dataset / f"{self.case}_label{ENDING}"


@dataclass(frozen=True)
class Export:
    """The record of the folder.

    Attributes:
        fold: number of the fold by which the scans were unlabelled; None if there were no splits.
        datasets: names of all datasets among which was chosen.
        cases: the scans.
    """

    fold: int | None
    datasets: tuple[str, ...]
    cases: tuple[Exported, ...]


@dataclass(frozen=True)
class Outgoing:
    """A scan to be exported.

    Attributes:
        dataset: its dataset.
        case: its identifier.
        files: its files, one for each channel.
        proposal: file of the proposed labels, on the grid of the scan; None for an empty map.
    """

    dataset: RawDataset
    case: str
    files: Sequence[Path]
    proposal: Path | None


def digest_of(values: np.ndarray) -> str:
    """Digest of label values (Z, Y, X), whatever their integer type."""
    return hashlib.sha256(repr(values.shape).encode() + np.ascontiguousarray(values, np.uint16).tobytes()).hexdigest()


def digest_of_files(files: Sequence[Path]) -> str:
    """Digest of the bytes of a scan's files."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def check_new(folder: Path) -> None:
    """Make sure that nothing is overwritten: an expert may have corrected labels in a folder of before.

    Raises:
        UserError: the folder exists and is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty, and corrected labels in it would be lost: name a new folder")


def write_export(folder: Path, fold: int | None, datasets: Sequence[str], scans: Sequence[Outgoing]) -> None:
    """Write the folder, completely or not at all.

    Args:
        folder: the folder; it does not exist or is empty.
        fold: see :class:`Export`.
        datasets: see :class:`Export`.
        scans: the scans.

    Raises:
        UserError: the folder is not empty, or two scans would have a file of one name.
    """
    check_new(folder)
    _check_names(scans)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".tmp-{folder.name}-", dir=folder.parent) as temporary:
        whole = Path(temporary) / "whole"
        cases = [_write_scan(whole, scan) for scan in tqdm(scans, desc="exporting", unit="case")]
        for dataset in {scan.dataset.name: scan.dataset for scan in scans}.values():
            (whole / dataset.name / "labels.ctbl").write_text(slicer_table(dataset.values), encoding="utf-8")
            (whole / dataset.name / "labels.txt").write_text(itk_snap_table(dataset.values), encoding="utf-8")
        ids = " ".join(name[7:10] for name in dict.fromkeys(scan.dataset.name for scan in scans))
        (whole / "README.txt").write_text(_readme(scans[0].dataset.values, folder.name, ids), encoding="utf-8")
        export = Export(fold, tuple(datasets), tuple(cases))
        write_json(whole / EXPORT_JSON, {"version": _VERSION, **asdict(export)})
        if folder.is_dir():
            folder.rmdir()
        whole.rename(folder)


def read_export(folder: Path) -> Export:
    """Read the record of a folder.

    Raises:
        UserError: there is none, or it is of another form.
    """
    path, remedy = folder / EXPORT_JSON, "name a folder that `mass_nnunet suggest --export` made"
    content = read_json(path, remedy)
    try:
        if content["version"] != _VERSION:
            raise UserError(f"{path} is of another version of mass_nnunet: export the scans again")
        return Export(content["fold"], tuple(content["datasets"]), tuple(Exported(**one) for one in content["cases"]))
    except (KeyError, TypeError):
        raise UserError(f"{path} is not what mass_nnunet writes: {remedy}") from None


def _check_names(scans: Sequence[Outgoing]) -> None:
    """Make sure that no scan is written over the labels of another one, as ``a_label`` over those of ``a``."""
    owners: dict[tuple[str, str], str] = {}
    for scan in scans:
        for name in (*_channels(scan), f"{scan.case}_label"):
            if (other := owners.setdefault((scan.dataset.name, name), scan.case)) != scan.case:
                both = f"{other} and {scan.case} of {scan.dataset.folder}"
                raise UserError(f"{both} would both have a file {name}{ENDING}: rename one")


def _channels(scan: Outgoing) -> list[str]:
    """Names of the files of a scan in the folder, without their ending."""
    return [f"{scan.case}_channel{number}" if number else scan.case for number in range(len(scan.files))]


def _write_scan(whole: Path, scan: Outgoing) -> Exported:
    """Write a scan and its labels."""
    folder = whole / scan.dataset.name
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in zip(_channels(scan), scan.files, strict=True):
        if file.name.endswith(ENDING):
            shutil.copyfile(file, folder / f"{name}{ENDING}")
        else:
            write_volume(read_volume(file), folder / f"{name}{ENDING}")
    image = read_volume(scan.files[0])
    if scan.proposal is None:
        values = np.zeros(image.GetSize()[::-1], np.uint8)
    else:
        values = read_label_map(scan.proposal, scan.dataset.values).values
    exported = Exported(scan.dataset.name, scan.case, digest_of_files(scan.files), digest_of(values))
    write_volume(label_like(image, values), exported.label_file(whole))
    return exported


def _colours(labels: Mapping[str, int]) -> dict[str, tuple[int, int, int]]:
    """Red, green and blue (0 to 255) of each label but the background, as in the pictures of this package."""
    return {name: (int(c[1:3], 16), int(c[3:5], 16), int(c[5:7], 16)) for name, c in organ_colours(labels).items()}


def slicer_table(labels: Mapping[str, int]) -> str:
    """3D Slicer's table of colours: value, name, red, green, blue, alpha."""
    lines = ["# Color table file for 3D Slicer", f"0 {BACKGROUND} 0 0 0 0"]
    lines += [
        f"{labels[name]} {name.replace(' ', '_')} {r} {g} {b} 255" for name, (r, g, b) in _colours(labels).items()
    ]
    return "\n".join(lines) + "\n"


def itk_snap_table(labels: Mapping[str, int]) -> str:
    """ITK-SNAP's label descriptions: value, red, green, blue, opacity, visibility, visibility of the mesh, name."""
    lines = ["# ITK-SNAP label descriptions", '0 0 0 0 0 0 0 "Clear Label"']
    lines += [f'{labels[name]} {r} {g} {b} 1 1 1 "{name}"' for name, (r, g, b) in _colours(labels).items()]
    return "\n".join(lines) + "\n"


def _readme(labels: Mapping[str, int], folder: str, ids: str) -> str:
    values = ", ".join(f"{value} {name}" for name, value in labels.items() if name != BACKGROUND)
    return (
        "Open CASE.nii.gz, and CASE_label.nii.gz as its segmentation, in 3D Slicer (colours: labels.ctbl), ITK-SNAP "
        "(labels.txt) or MITK.\n"
        f"Correct the labels ({values}), and save them under the same name, on the grid of the scan.\n"
        f"Then type: mass_nnunet annotate-in {folder} -d {ids}\n"
    )
