"""The hard split of draw 1 of real_pair.py, as fold 1: its two annotated CTs end above the pelvis.

    python experiments/real_pair.py ../shared/data     # and the commands that it prints for 811 and 812
    python experiments/hard_split.py                   # a grid then has seeds: [1]

The CTs are numbered as in BTCV. The MRIs stay as they are in fold 0.
"""

from dataclasses import replace

from mass_nnunet.data.files import write_json
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.splits import SPLITS_JSON, load_fold

CT, MRI = 811, 812
ANNOTATED, VALIDATED = ("btcv_0009", "btcv_0031"), ("btcv_0010", "btcv_0027")


def main() -> None:
    for dataset in (CT, MRI):
        folder = dataset_folder("preprocessed", dataset)
        first = load_fold(folder, 0)
        second = replace(first, seed=1)
        if dataset == CT:
            cases = {*first.train, *first.val, *first.unlabelled}
            hidden = tuple(sorted(cases - {*ANNOTATED, *VALIDATED}))
            second = replace(second, train=ANNOTATED, val=VALIDATED, unlabelled=hidden)
        write_json(folder / SPLITS_JSON, [first.as_entry(), second.as_entry()])
        print(f"wrote {folder / SPLITS_JSON}")


if __name__ == "__main__":
    main()
