"""The paper's own pair, BTCV and CHAOS, as far as it is in shared/data: three draws, each tested on another third.

    python experiments/real_pair.py ../shared/data

writes nnU-Net raw datasets 801 (18 CTs) and 802 (16 MRIs) for draw 0, 811 and 812 for draw 1, 821 and 822 for draw 2.
In each, a third of the patients is in ``imagesTs``, so that every scan is tested once. Prints the commands that follow.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from chaos_t2 import find_cases as find_mris
from chaos_t2 import numbered_cases
from mass_nnunet.data.raw import Part
from mass_nnunet.dataset_conversion.datasets import btcv, chaos
from mass_nnunet.dataset_conversion.raw_dataset import ConversionOptions, write_dataset
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase
from mass_nnunet.dataset_conversion.source import Target
from mass_nnunet.labels import LABELS

DRAWS = 3
COMMANDS = """\
mass_nnunet split -d {ids} --label-rates 0.2
mass_nnunet plan -d {ids} --spacing 7.7 3.6 3.6 --patch-size 32 96 96 --features 8 --epochs 24 --iterations 50"""


def find_cts(source: Path) -> list[NiftiCase]:
    """All CTs of the folder, sorted by patient; the values of their labels are BTCV's."""
    return numbered_cases(source, "btcv", btcv.TABLE)


def draw(cases: Sequence[NiftiCase], number: int) -> list[NiftiCase]:
    """The cases, a third of them (the third number ``number`` of a shuffled list) in the test part."""
    shuffled = np.random.default_rng(0).permutation(len(cases))
    tested = set(np.array_split(shuffled, DRAWS)[number].tolist())
    return [replace(case, part=Part.TEST if i in tested else Part.TRAINING) for i, case in enumerate(cases)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="shared/data")
    source = parser.parse_args().source
    cts, mris = find_cts(source / "btcv_ct"), find_mris(source / "chaos_t2_mr")
    for number in range(DRAWS):
        ct, mri = 801 + 10 * number, 802 + 10 * number
        for target in (
            Target(ct, "BTCV", "CT", LABELS, draw(cts, number), btcv.LICENCE, btcv.REFERENCE),
            Target(mri, "CHAOS", "MRI", LABELS, draw(mris, number), chaos.LICENCE, chaos.REFERENCE),
        ):
            print(write_dataset(target, ConversionOptions()))
        print(COMMANDS.format(ids=f"{ct} {mri}"), end="\n\n")


if __name__ == "__main__":
    main()
