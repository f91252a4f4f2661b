"""The corrected labels of an exported scan, checked before anything of the dataset is touched."""

from collections.abc import Sequence
from glob import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.files import check_link
from mass_nnunet.data.label_map import read_label_map
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.volume import aligned, label_like, on_grid_of, read_volume
from mass_nnunet.errors import UserError
from mass_nnunet.labels import IGNORE

from .exchange import ENDING, Exported, digest_of, digest_of_files

_OFF = 0.1  # voxels by which a part of a scan may lie beside its grid


class Corrected(NamedTuple):
    """Corrected labels of one scan.

    Attributes:
        label: uint8, on the grid of the scan in the dataset.
        is_changed: whether they differ from the proposal.
        is_empty: whether no structure is in them.
        notes: one sentence for each correction of the file.
    """

    label: sitk.Image
    is_changed: bool
    is_empty: bool
    notes: tuple[str, ...]


def read_corrected(folder: Path, exported: Exported, dataset: RawDataset, scan: Sequence[Path]) -> Corrected:
    """Read the corrected labels of a scan.

    Args:
        folder: the exported folder.
        exported: the scan's record.
        dataset: its dataset.
        scan: its files in the dataset, one for each channel.

    Raises:
        UserError: the labels are absent, cannot be read, hold a value that dataset.json does not name, lie on another
            grid, or are empty though they were changed; or the scan is not the one that was exported.
    """
    file = exported.label_file(folder)
    check_link(file)
    if not file.is_file():
        raise UserError(f"{file} does not exist: save the corrected labels of {exported.case} under this name")
    if digest_of_files(scan) != exported.scan:
        raise UserError(f"{scan[0]} is not the scan that was exported to {folder}: export it again")
    found = read_label_map(file, dataset.values)
    image = read_volume(scan[0])
    stored = label_like(found.image, found.values)
    whole = _pasted(stored, image)
    label, notes = (whole, ()) if whole is not None else on_grid_of(image, scan[0], stored, file)
    values = sitk.GetArrayFromImage(label)
    is_changed = digest_of(values) != exported.label
    is_empty = not np.isin(values, (0, dataset.values.get(IGNORE, 0)), invert=True).any()
    if is_changed and is_empty:
        raise UserError(f"{file} is empty now: annotate the scan, or leave the label as it was exported")
    return Corrected(label_like(image, values), is_changed, is_empty, (*found.notes, *notes))


def _pasted(label: sitk.Image, image: sitk.Image) -> sitk.Image | None:
    """Labels of a part of a scan, on the grid of the whole scan; None if they are of another grid.

    Some programs save only the box around the labels.
    """
    turned = aligned(label, image)
    if turned.GetSize() == image.GetSize() or not (
        np.allclose(turned.GetSpacing(), image.GetSpacing(), rtol=1e-3)
        and np.allclose(turned.GetDirection(), image.GetDirection(), atol=1e-3)
    ):
        return None
    place = np.array(image.TransformPhysicalPointToContinuousIndex(turned.GetOrigin()))
    first = np.rint(place).astype(int)
    last = first + turned.GetSize()
    if np.abs(place - first).max() > _OFF or first.min() < 0 or (last > image.GetSize()).any():
        return None
    whole = np.zeros(image.GetSize()[::-1], np.uint8)
    whole[tuple(slice(a, b) for a, b in zip(first[::-1], last[::-1], strict=True))] = sitk.GetArrayFromImage(turned)
    return label_like(image, whole)


def saved_elsewhere(folder: Path, exported: Exported, channels: int) -> list[str]:
    """Names of files beside a scan that look like its labels under another name."""
    place = exported.label_file(folder)
    known = {place.name, *(f"{exported.case}_channel{channel}{ENDING}" for channel in range(1, channels))}
    known.add(f"{exported.case}{ENDING}")
    found = sorted(path.name for path in place.parent.glob(f"{escape(exported.case)}[_.-]*"))
    return [name for name in found if name not in known and _is_of(exported.case, name)]


def _is_of(case: str, name: str) -> bool:
    """Whether a file belongs to this case, and not to one whose name begins alike."""
    rest = name.removeprefix(case).lstrip("_.-").lower()
    return rest.startswith(("label", "seg", "nrrd", "nii", "mha"))
