"""The 16 real MRIs of shared/data/chaos_t2_mr as nnU-Net raw dataset 802: 12 to train, 4 to test.

    python experiments/chaos_t2.py ../shared/data/chaos_t2_mr

Their CT partner is synthetic: `mass_nnunet phantom`, then `mass_nnunet convert btcv`.
"""

import argparse
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
    return [
        NiftiCase(
            name=f"chaos_{label.name[6:8]}_T2SPIR",
            patient=f"chaos_{label.name[6:8]}",
            image=label.with_name(label.name.replace("label", "image")),
            label=label,
            table=TABLE,
        )
        for label in sorted(source.glob("label_*.nii.gz"))
    ]


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
