"""The 16 real MRIs of shared/data/chaos_t2_mr as nnU-Net raw dataset 802: 12 to train, 4 to test.

    python benchmarks/chaos_t2.py ../shared/data/chaos_t2_mr

Their CT partner is the phantom's (`mass_nnunet phantom`, `mass_nnunet convert btcv`), as described in README.md.
"""

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.raw_dataset import dataset_path, write_dataset
from mass_nnunet.dataset_conversion.source import Case, map_labels, values_in
from mass_nnunet.dataset_conversion.volume import label_like, read_volume
from mass_nnunet.organs import LABELS

# Their ids (shared/data/README.md): 1 liver, 2 right kidney, 3 left kidney, 4 spleen.
TABLE = np.array([0, LABELS["liver"], LABELS["right_kidney"], LABELS["left_kidney"], LABELS["spleen"]])


class ChaosT2(Case):
    """One of the resampled T2-SPIR scans: ``image_NN.nii.gz`` with ``label_NN.nii.gz``."""

    def _labels(self) -> np.ndarray:
        return map_labels(sitk.GetArrayFromImage(read_volume(self.label)), TABLE, self.label)

    def label_values(self) -> set[int]:
        return values_in([self._labels()])

    def read_image(self) -> sitk.Image:
        return read_volume(self.label.with_name(self.label.name.replace("label", "image")))

    def read_labelled(self) -> tuple[sitk.Image, sitk.Image]:
        image = self.read_image()
        return image, label_like(image, self._labels())


def find_cases(source: Path) -> list[ChaosT2]:
    """All scans of the folder, by patient."""
    return [
        ChaosT2(name=f"chaos_{path.name[6:8]}_T2SPIR", patient=f"chaos_{path.name[6:8]}", label=path)
        for path in sorted(source.glob("label_*.nii.gz"))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("-d", type=int, default=802, metavar="ID")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of the test patients")
    args = parser.parse_args()
    folder = dataset_path(args.d, "CHAOS")
    cases = find_cases(args.source)
    print(write_dataset(folder, cases, channel="MRI", test_fraction=0.25, seed=args.seed, processes=2))


if __name__ == "__main__":
    main()
