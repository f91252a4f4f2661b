"""nnU-Net raw datasets so small that a test can run the whole path on them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.files import write_json
from mass_nnunet.labels import LABELS

# Centre (z, y, x) and radius as shares of the scan's shape, in LPS: x grows to the patient's left, y to the back.
_ORGANS = {
    "spleen": ((0.6, 0.55, 0.75), (0.25, 0.12, 0.1)),
    "right_kidney": ((0.35, 0.7, 0.35), (0.25, 0.1, 0.08)),
    "left_kidney": ((0.35, 0.7, 0.65), (0.25, 0.1, 0.08)),
    "liver": ((0.6, 0.4, 0.3), (0.3, 0.18, 0.16)),
}
# Mean intensity of what lies outside, of the body, and of the organs; MRI in arbitrary units.
_INTENSITY = {
    "CT": {"outside": -1000, "body": 20, "spleen": 110, "right_kidney": 190, "left_kidney": 190, "liver": 90},
    "MRI": {"outside": 0, "body": 200, "spleen": 700, "right_kidney": 600, "left_kidney": 600, "liver": 330},
}
_NOISE = {"CT": 15, "MRI": 30}


def write_raw_dataset(
    folder: Path,
    name: str,
    channel: str,
    cases: Sequence[str],
    unlabelled: Sequence[str] = (),
    test: Sequence[str] = (),
    shape: tuple[int, int, int] = (8, 24, 24),
    spacing: tuple[float, float, float] = (6.0, 2.0, 2.0),
    seed: int = 0,
    patients: Mapping[str, str] | None = None,
    more: Sequence[str] = (),
) -> Path:
    """Write ``folder/name`` with ellipsoids for organs, each scan with its own pose, and return that folder.

    Args:
        folder: nnUNet_raw.
        name: ``DatasetXXX_NAME``.
        channel: ``CT`` or ``MRI``.
        cases: identifiers for imagesTr and labelsTr.
        unlabelled: for imagesUn.
        test: for imagesTs and labelsTs.
        shape: (Z, Y, X) in voxels.
        spacing: (Z, Y, X) in mm.
        seed: of poses and noise.
        patients: of each case, for patients.json; without it that file is not written.
        more: names of further channels, each with the organs and the body of the first one in another contrast.
    """
    dataset = folder / name
    rng = np.random.default_rng(seed)
    for part, identifiers in (("Tr", cases), ("Un", unlabelled), ("Ts", test)):
        for identifier in identifiers:
            image, label = make_scan(channel, shape, rng)
            contrasts = (image, *(another_contrast(image, number + 1) for number in range(len(more))))
            for number, contrast in enumerate(contrasts):
                write_scan(dataset / f"images{part}" / f"{identifier}_{number:04d}.nii.gz", contrast, spacing)
            if part != "Un":
                write_scan(dataset / f"labels{part}" / f"{identifier}.nii.gz", label, spacing)
    write_json(
        dataset / "dataset.json",
        {
            "channel_names": {str(number): name for number, name in enumerate((channel, *more))},
            "labels": LABELS,
            "numTraining": len(cases),
            "file_ending": ".nii.gz",
            "overwrite_image_reader_writer": "NibabelIOWithReorient",
        },
    )
    if patients is not None:
        write_json(dataset / "patients.json", dict(patients))
    return dataset


def make_scan(channel: str, shape: tuple[int, int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image (Z, Y, X), int16, and its label (Z, Y, X), uint8."""
    grid = np.stack(np.meshgrid(*((np.arange(size) + 0.5) / size for size in shape), indexing="ij"), axis=-1)
    shift, scale = rng.uniform(-0.06, 0.06, 3), rng.uniform(0.9, 1.1)
    levels = _INTENSITY[channel]
    body = (((grid[..., 1:] - 0.5) / (0.42, 0.47)) ** 2).sum(-1) < 1
    image = np.where(body, levels["body"], levels["outside"]).astype(float)
    label = np.zeros(shape, np.uint8)
    for organ, (place, radius) in _ORGANS.items():
        centre = np.array(place) + shift + rng.uniform(-0.02, 0.02, 3)
        inside = (((grid - centre) / (np.array(radius) * scale)) ** 2).sum(-1) < 1
        label[inside] = LABELS[organ]
        image[inside] = levels[organ]
    image += rng.normal(0, _NOISE[channel], shape)
    if channel == "MRI":
        image = np.where(body, np.maximum(image, 1), 0)
    return np.round(image).astype(np.int16), label


def another_contrast(image: np.ndarray, number: int) -> np.ndarray:
    """A scan of the same body: what was bright is dark; 0 outside."""
    inside = (image > -500) & (image != 0)
    return np.where(inside, np.maximum(1000 * number - image, 1), 0).astype(np.int16)


def write_scan(path: Path, array: np.ndarray, spacing: tuple[float, float, float]) -> None:
    """Write an array (Z, Y, X) as NIfTI in LPS orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing[::-1])
    sitk.WriteImage(image, str(path), True)
