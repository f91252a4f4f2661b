"""The 16 real MRIs of shared/data/chaos_t2_mr as nnU-Net raw dataset 802: 12 to train, 4 to test.

    python experiments/chaos_t2.py ../shared/data/chaos_t2_mr

Their CT partner is synthetic: `mass_nnunet phantom`, then `mass_nnunet convert btcv`.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from mass_nnunet.dataset_conversion.datasets import chaos
from mass_nnunet.dataset_conversion.raw_dataset import ConversionOptions, write_dataset
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase
from mass_nnunet.dataset_conversion.source import Target
from mass_nnunet.labels import BACKGROUND, LABELS

# The label values of these files (shared/data/README.md).
TABLE = {
    value: LABELS[name] for value, name in enumerate((BACKGROUND, "liver", "right_kidney", "left_kidney", "spleen"))
}


def find_cases(source: Path) -> list[NiftiCase]:
    """All scans of the folder, sorted by patient."""
    return numbered_cases(source, "chaos", TABLE, "_T2SPIR")


def numbered_cases(source: Path, dataset: str, table: Mapping[int, int], ending: str = "") -> list[NiftiCase]:
    """The scans ``image_NN`` of a folder of shared/data with their ``label_NN``, sorted by patient, NN.

    Args:
        source: the folder.
        dataset: what the names of cases and patients begin with.
        table: our label for each value of the label files.
        ending: of the names of the cases.
    """
    cases = []
    for label in sorted(source.glob("label_*.nii.gz")):
        patient = label.name.replace("label", dataset).removesuffix(".nii.gz")
        image = label.with_name(label.name.replace("label", "image"))
        cases.append(NiftiCase(name=patient + ending, patient=patient, image=image, label=label, table=table))
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("-d", type=int, default=802, metavar="ID")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of the test patients")
    args = parser.parse_args()
    target = Target(args.d, "CHAOS", "MRI", LABELS, find_cases(args.source), chaos.LICENCE, chaos.REFERENCE)
    print(write_dataset(target, ConversionOptions(test_fraction=0.25, seed=args.seed)))


if __name__ == "__main__":
    main()
