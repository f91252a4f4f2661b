"""What is left of true labels that go to a group's grid and back by nnU-Net's own resampling: no model can do better.

``--spacing native`` must leave as much as the grid that stock nnU-Net would choose for each dataset by itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from nnunetv2.imageio.base_reader_writer import BaseReaderWriter
from nnunetv2.imageio.nibabel_reader_writer import NibabelIO, NibabelIOWithReorient
from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape, resample_data_or_seg_to_shape

from mass_nnunet.planners.spacing import group_spacing, stock_spacing
from native_trees import SHARED_DATA

TOLERANCE = 0.005
PATCH = (32, 256, 256)
BTCV = {1: 1, 2: 2, 3: 3, 6: 4}
HEART = {1: 1, 2: 2, 3: 3}
CHAOS = {4: 1, 2: 2, 3: 3, 1: 4}

real = pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no real data here")


class Scan(NamedTuple):
    """A label map (Z, Y, X), which may be cropped, its spacing in mm, and the shape of the whole scan."""

    label: np.ndarray
    spacing: tuple[float, ...]
    shape: tuple[int, ...]


def fingerprint(scans: Sequence[Scan]) -> dict:
    return {"shapes_after_crop": [scan.shape for scan in scans], "spacings": [scan.spacing for scan in scans]}


def there_and_back(scan: Scan, spacing: np.ndarray) -> np.ndarray:
    """The label map on another grid as nnU-Net's preprocessing brings it there, and back as a prediction comes back."""
    shape = compute_new_shape(scan.label.shape, scan.spacing, spacing)
    on_grid = resample_data_or_seg_to_shape(
        scan.label[None], shape, scan.spacing, spacing, is_seg=True, order=1, order_z=0
    )
    classes = np.arange(scan.label.max() + 1)[:, None, None, None]
    probabilities = (on_grid == classes).astype(np.float32)
    back = resample_data_or_seg_to_shape(
        probabilities, scan.label.shape, spacing, scan.spacing, is_seg=False, order=1, order_z=0
    )
    return back.argmax(0)


def ceiling(scans: Sequence[Scan], spacing: np.ndarray) -> float:
    """Mean Dice over scans and organs of the labels that come back."""
    values = []
    for scan in scans:
        back = there_and_back(scan, spacing)
        for organ in range(1, scan.label.max() + 1):
            truth, found = scan.label == organ, back == organ
            values.append(2 * (truth & found).sum() / (truth.sum() + found.sum()))
    return float(np.mean(values))


def synthetic(spacing: tuple[float, float, float], edge: float, seed: int) -> Scan:
    """Two tilted ellipsoids, a large one and one of a quarter of its length, in a cube with this edge in mm."""
    rng = np.random.default_rng(seed)
    shape = tuple(round(edge / step) for step in spacing)
    points = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij"), -1)
    label = np.zeros(shape, np.uint8)
    for organ, (place, radius) in enumerate((((0.4, 0.4, 0.4), 0.3), ((0.75, 0.75, 0.75), 0.1)), 1):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        offset = (points - edge * (np.array(place) + rng.uniform(-0.03, 0.03, 3))) @ turn
        label[((offset / (edge * radius * np.array([0.7, 0.9, 1.2]))) ** 2).sum(-1) < 1] = organ
    # Real scans are several hundred mm wide: nnU-Net's rule for thick slices asks for the number of voxels.
    return Scan(label, spacing, tuple(round(400 / step) for step in spacing))


def load(
    folder: str, table: dict[int, int], chosen: slice, reader: type[BaseReaderWriter] = NibabelIOWithReorient
) -> list[Scan]:
    """Some scans of a folder, cropped to the organs and a margin."""
    scans = []
    for path in sorted((SHARED_DATA / folder).glob("label_*.nii.gz"))[chosen]:
        values, properties = reader().read_seg(str(path))
        label = np.zeros(values.shape[1:], np.uint8)
        for value, organ in table.items():
            label[values[0] == value] = organ
        box = tuple(slice(max(0, at.min() - 4), at.max() + 5) for at in np.nonzero(label))
        scans.append(Scan(label[box], tuple(properties["spacing"]), label.shape))
    return scans


def check_native(*datasets: list[Scan]) -> None:
    native = group_spacing([fingerprint(scans) for scans in datasets], PATCH, "native")
    for scans in datasets:
        stock = stock_spacing(fingerprint(scans))
        assert np.all(native <= stock)
        assert ceiling(scans, native) >= ceiling(scans, stock) - TOLERANCE


@pytest.fixture(scope="module")
def pair() -> tuple[list[Scan], list[Scan]]:
    return load("btcv_ct", BTCV, slice(3)), load("chaos_t2_mr", CHAOS, slice(3))


@real
def test_native_on_real_ct_and_mri(pair):
    check_native(*pair)


@real
def test_fit_loses_more_on_the_same_scans(pair):
    """So the test above can fail: these are the losses of thick slices."""
    fit = group_spacing([fingerprint(scans) for scans in pair], PATCH, "fit")
    assert fit[0] > 10
    for scans in pair:
        assert ceiling(scans, fit) < ceiling(scans, stock_spacing(fingerprint(scans))) - 5 * TOLERANCE


@real
def test_native_on_real_short_axis_hearts():
    """Scans of other patients in each sequence, read as the converter's dataset.json asks."""
    check_native(
        load("cardiac_mr/bSSFP", HEART, slice(0, 15), NibabelIO),
        load("cardiac_mr/LGE", HEART, slice(15, 30), NibabelIO),
    )


AMOS_CT = [(5.0, 0.68, 0.68), (5.0, 0.82, 0.82), (2.0, 0.78, 0.78), (1.25, 0.7, 0.7)]


@pytest.mark.parametrize("ct", [AMOS_CT, AMOS_CT[:2]], ids=["thin and thick slices", "thick slices"])
def test_native_with_the_geometry_of_amos(ct):
    """Beside the CTs, MRIs that are nearly isotropic or not; with thick slices alone the grid is anisotropic."""
    mri = [(3.0, 1.19, 1.19), (2.5, 1.1, 1.1), (6.0, 0.85, 0.85)]
    check_native(*([synthetic(step, 80, number) for number, step in enumerate(steps)] for steps in (ct, mri)))


def test_native_with_the_geometry_of_mmwhs():
    """Fine CTs, and MRIs of about 1 mm."""
    ct = [(0.625, 0.43, 0.43), (0.45, 0.35, 0.35), (0.6, 0.49, 0.49)]
    mri = [(1.0, 0.93, 0.93), (1.6, 0.8, 0.8), (0.9, 0.9, 0.9)]
    check_native(*([synthetic(step, 50, number) for number, step in enumerate(steps)] for steps in (ct, mri)))
