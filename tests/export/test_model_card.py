import re

import pandas as pd

from mass_nnunet.data.splits import Fold
from mass_nnunet.export.model_card import Facts, model_card
from mass_nnunet.hyperparameters import complete


class PlainTrainer:
    """Stock nnU-Net, shortened.

    More of it.
    """


class ChangedTrainer:
    CHANGES = {"anatomical": "kl"}  # noqa: RUF012


CONFIGURATION = {
    "batch_size": 2,
    "patch_size": [16, 48, 48],
    "spacing": [15.5481, 7.29, 7.0],
    "architecture": {"network_class_name": "some.where.PlainConvUNet"},
}
MASS = {
    "modality": "CT",
    "modalities": [{"name": "CT", "dataset": "Dataset801_A"}, {"name": "MRI", "dataset": "Dataset802_B"}],
    "epochs": 20,
    "iterations": 10,
    "hyperparameters": complete().as_plans(),
}
FOLD = Fold(("miller1", "miller2"), ("smith",), ("jones1", "jones2", "jones3"), 0.5, 4)


def card(**changes: object) -> str:
    facts = {
        "plans": {
            "dataset_name": "Dataset801_A",
            "plans_name": "MASSPlans",
            "configurations": {"3d_fullres": CONFIGURATION},
            "mass": MASS,
        },
        "dataset": {"labels": {"background": 0, "spleen": 1, "liver": 4}},
        "configuration": "3d_fullres",
        "trainer": PlainTrainer,
        "inference": "segmentation",
        "exported_trainer": "nnUNetTrainer",
        "checkpoints": ["checkpoint_final.pth"],
        "folds": {0: {"Dataset801_A": FOLD, "Dataset802_B": None}},
        "validation": {},
        "validation_note": "Nothing was validated.",
        "scores": None,
        "licence": None,
        "references": [],
    }
    return model_card(Facts(**(facts | changes)))


def test_an_adapted_model_needs_this_package():
    text = card(inference="adapted", exported_trainer="SomeTrainer")
    assert "A U-Net with intensity adaptation for nnU-Net v2 with mass-nnunet installed beside it" in text
    assert '    eval "$(mass_nnunet env)"\n    nnUNetv2_install' in text
    assert "-tr SomeTrainer" in text
    assert "It does not do what the original model does with its atlases." in text
    assert "mass_nnunet env" not in card()


def test_what_a_card_tells():
    text = card()
    assert text.startswith("# Dataset801_A: spleen, liver on CT\n")
    headings = ["Data", "Training", "Scores", "Intended use and limits", "Licence", "Citation", "Versions"]
    assert re.findall("^## (.*)$", text, re.MULTILINE) == headings
    for part in (
        "nnUNetv2_predict -d Dataset801_A -i IN -o OUT -tr nnUNetTrainer -p MASSPlans -c 3d_fullres -f 0 "
        "-chk checkpoint_final.pth",
        "| Dataset801_A | CT | 0 | 2 | 3 | 1 | 0.5 | 4 |",
        "| Dataset802_B | MRI | 0 | not known where the model was exported | ? | ? | ? | ? |",
        "Labels: 1 spleen, 4 liver.",
        "`PlainTrainer`: Stock nnU-Net, shortened.",
        "20 epochs of 10 steps",
        "patch 16 x 48 x 48 voxels, spacing 15.5 x 7.29 x 7 mm (z y x)",
        "network `PlainConvUNet`",
        "Nothing was validated.",
        "Not stated. Ask the owners of the data",
        "- nnunetv2 2.8",
    ):
        assert part in text, part


def test_labels_of_another_tool():
    assert "another tool" not in card()
    text = card(outside={0: 3, 2: 1})
    assert "were not read, but label maps of them that another tool made were joined" in text
    assert "(3 in fold 0, 1 in fold 2)." in text


def test_a_card_names_no_scan():
    text = card(folds={fold: {"Dataset801_A": FOLD} for fold in (0, 1)})
    assert not [case for case in (*FOLD.train, *FOLD.val, *FOLD.unlabelled) if case in text]
    assert "-f 0 1 " in text


def test_every_row_of_a_table_has_all_columns():
    rows = [line for line in card().splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows} == {9}


def test_hyperparameters_are_those_that_the_trainer_used():
    assert "temperature" not in card()
    assert '"anatomical": "kl"' in card(trainer=ChangedTrainer)


def test_scores():
    nowhere = float("nan")
    scores = pd.DataFrame(
        [
            ("a", "spleen", 0.9, 2.0),
            ("b", "spleen", 0.7, float("inf")),
            ("c", "spleen", nowhere, nowhere),
            ("a", "liver", 0.5, 4.0),
            ("b", "liver", 0.5, 6.0),
        ],
        columns=["case", "organ", "dice", "hd95"],
    )
    text = card(validation={3: {"spleen": 0.8125}}, validation_note="", scores=scores)
    assert "validation scans of fold 3" in text
    assert "| spleen | 0.812 |" in text
    assert "| liver | 2 | 0.500 ± 0.000 | 5.0 ± 1.4 | 0 |" in text
    assert "| spleen | 2 | 0.800 ± 0.141 | 2.0 ± nan | 1 |" in text


def test_what_the_owner_of_the_data_says():
    dataset = {
        "labels": {"background": 0, "liver": 1},
        "description": "Forty scans of one hospital.",
    }
    text = card(dataset=dataset, licence="CC-BY 4.0", references=["zenodo.org/records/1", "zenodo.org/records/1"])
    assert "Forty scans of one hospital." in text
    assert text.count("- zenodo.org/records/1\n") == 1
    assert "## Licence\n\nCC-BY 4.0\n" in text
