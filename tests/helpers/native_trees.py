"""Tiny scans with known organs, written as BTCV and CHAOS lay them out. For the tests of dataset_conversion."""

from collections.abc import Iterable, Mapping
from itertools import permutations, product
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.source import Source

SHAPE = (6, 24, 24)  # (Z, Y, X)
SPACING = (1.5, 2.0, 3.0)  # (x, y, z) mm
ORIGIN = (-20.0, 7.0, 100.0)
SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"
BTCV_VALUES = {"spleen": 1, "right_kidney": 2, "left_kidney": 3, "liver": 6}
CHAOS_GRAYS = {"spleen": 252, "right_kidney": 126, "left_kidney": 189, "liver": 63}
# In LPS, x runs to the patient's left and y to the back: (z, y, x) slices.
BOXES: Mapping[str, tuple[slice, ...]] = {
    "liver": np.s_[2:6, 3:12, 2:11],
    "spleen": np.s_[2:6, 10:18, 18:22],
    "right_kidney": np.s_[1:4, 14:19, 5:9],
    "left_kidney": np.s_[0:3, 18:22, 14:18],
}
STRUCTURES = {"spleen": "spleen", "right_kidney": "kidney_right", "left_kidney": "kidney_left", "liver": "liver"}
"""TotalSegmentator's names of the organs."""
AXIS_CODES = ["".join(p) for letters in product("RL", "AP", "SI") for p in permutations(letters)]


def source(*roots: Path) -> Source:
    """Folders to look for cases in."""
    return Source(roots[0], roots)


def volume(array: np.ndarray, spacing: tuple[float, ...] = SPACING) -> sitk.Image:
    """An array (Z, Y, X) placed in the body, axes L, P, S."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(ORIGIN)
    return image


def scan(seed: int = 0) -> sitk.Image:
    """Noise: no voxel can stand for another one."""
    return volume(np.random.default_rng(seed).integers(-1000, 1000, SHAPE).astype(np.int16))


def organs(values: dict[str, int], boxes: Mapping[str, tuple[slice, ...]] = BOXES) -> sitk.Image:
    """A label map with the given value for each organ that has a box."""
    array = np.zeros(SHAPE, np.uint8)
    for organ, box in boxes.items():
        array[box] = values[organ]
    return volume(array)


def mirrored(image: sitk.Image) -> sitk.Image:
    """Left and right voxels exchanged under an unchanged header."""
    return volume(sitk.GetArrayFromImage(image)[:, :, ::-1].copy())


def write(image: sitk.Image, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


def write_amos_case(root: Path, part: str, number: int, image: sitk.Image, label: sitk.Image | None = None) -> None:
    """``imagesTr/amos_0001.nii.gz`` and its label; ``part`` is Tr, Va or Ts."""
    write(image, root / f"images{part}" / f"amos_{number:04d}.nii.gz")
    if label is not None:
        write(label, root / f"labels{part}" / f"amos_{number:04d}.nii.gz")


def write_subject(root: Path, name: str, shown: Iterable[str] = STRUCTURES, image: str = "ct") -> None:
    """``s0001/ct.nii.gz`` and a mask of each structure, empty where the scan does not show it."""
    write(scan(int(name[1:])), root / name / f"{image}.nii.gz")
    for organ, structure in STRUCTURES.items():
        mask = organs({organ: 1}, {organ: BOXES[organ]} if organ in shown else {})
        write(mask, root / name / "segmentations" / f"{structure}.nii.gz")


def write_btcv_case(root: Path, number: int, image: sitk.Image, label: sitk.Image | None = None) -> None:
    """``Training/img/img0001.nii.gz`` and its label, or ``Testing/img`` without one."""
    folder = root / ("Testing" if label is None else "Training")
    write(image, folder / "img" / f"img{number:04d}.nii.gz")
    if label is not None:
        write(label, folder / "label" / f"label{number:04d}.nii.gz")


def btcv_tree(root: Path, labelled: int = 5, unlabelled: int = 1) -> Path:
    for number in range(1, labelled + 1):
        write_btcv_case(root, number, scan(number), organs(BTCV_VALUES))
    for number in range(61, 61 + unlabelled):
        write_btcv_case(root, number, scan(number))
    return root


def write_slices(
    image: sitk.Image, folder: Path, name: str, *, downwards: bool = False, echo: str = "70"
) -> list[Path]:
    """One DICOM file a slice; ``name`` takes the file's number, which may run against the position."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    numbers = range(image.GetSize()[2])
    for number, index in enumerate(reversed(numbers) if downwards else numbers):
        piece = image[:, :, index : index + 1]
        direction = np.array(image.GetDirection()).reshape(3, 3)
        piece.SetMetaData("0008|0060", "MR")
        piece.SetMetaData("0018|0081", echo)
        piece.SetMetaData("0018|0050", "1.0")  # SliceThickness: not the step
        piece.SetMetaData("0020|0032", "\\".join(f"{x:.6f}" for x in piece.GetOrigin()))
        piece.SetMetaData("0020|0037", "\\".join(f"{x:.6f}" for x in (*direction[:, 0], *direction[:, 1])))
        paths.append(write(piece, folder / name.format(number)))
    return paths


def write_planes(label: sitk.Image, folder: Path, name: str, *, downwards: bool = False) -> list[Path]:
    """One PNG a slice, numbered like the DICOM files."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(label.GetSize()[2])
    ordered = reversed(numbers) if downwards else numbers
    return [write(label[:, :, index], folder / name.format(number)) for number, index in enumerate(ordered)]


def write_chaos_patient(
    patient: Path, *, seed: int = 0, grays: dict[str, int] | None = CHAOS_GRAYS, downwards: bool = False
) -> Path:
    """T2SPIR and T1DUAL of a patient, with ``Ground`` unless ``grays`` is None."""
    image = scan(seed)
    t1 = patient / "T1DUAL"
    write_slices(image, patient / "T2SPIR/DICOM_anon", "IMG-0002-{:05d}.dcm", downwards=downwards)
    write_slices(image, t1 / "DICOM_anon/InPhase", "IMG-0004-{:05d}.dcm", downwards=downwards, echo="4.6")
    write_slices(image + 5, t1 / "DICOM_anon/OutPhase", "IMG-0005-{:05d}.dcm", downwards=downwards, echo="2.3")
    if grays is not None:
        write_planes(organs(grays), patient / "T2SPIR/Ground", "IMG-0002-{:05d}.png", downwards=downwards)
        write_planes(organs(grays), t1 / "Ground", "IMG-0004-{:05d}.png", downwards=downwards)
    return patient


def affine(image: sitk.Image) -> np.ndarray:
    """(4, 4), from voxel indices (x, y, z) to LPS mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return matrix


def same_content(first: sitk.Image, second: sitk.Image) -> bool:
    """Whether two volumes hold the same value at every voxel centre in mm, wherever their axes point."""
    values = sitk.GetArrayFromImage(first).T  # (X, Y, Z)
    indices = np.indices(values.shape).reshape(3, -1)
    other = np.linalg.solve(affine(second), affine(first) @ np.vstack([indices, np.ones(indices.shape[1])]))[:3]
    nearest = np.rint(other).astype(int)
    inside = (nearest >= 0).all() and (nearest < np.array(second.GetSize())[:, None]).all()
    return (
        values.size == second.GetNumberOfPixels()
        and np.allclose(other, nearest, atol=1e-3)
        and bool(inside)
        and np.array_equal(sitk.GetArrayFromImage(second).T[tuple(nearest)], values.ravel())
    )
