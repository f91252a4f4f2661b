import re

import pytest

from mass_nnunet.data.group_plans import OF_A_GROUP, check_form
from mass_nnunet.errors import UserError

PLANS = {
    "plans_name": "MASSPlans",
    "dataset_name": "Dataset801_CT",
    "configurations": {"3d_fullres": {}},
    "mass": {
        "modalities": [{"name": "CT", "dataset": "Dataset801_CT"}, {"name": "MRI", "dataset": "Dataset802_MR"}],
        "modality": "CT",
        "inference": "fused",
        "epochs": 1,
        "iterations": 1,
        "validation_iterations": 1,
        "hyperparameters": {},
    },
}


def test_plans_of_this_package_have_the_form():
    check_form("p.json", PLANS, "plan again")
    check_form("p.json", PLANS | {"mass": PLANS["mass"] | {"regions": [[1, 2, 3], [2, 3], [3]]}}, "plan again")
    short = PLANS | {"mass": {key: PLANS["mass"][key] for key in ("modalities", "modality", "hyperparameters")}}
    check_form("p.json", short, "plan again", OF_A_GROUP)
    with pytest.raises(UserError, match=r"p\.json has no mass\.epochs: plan again"):
        check_form("p.json", short, "plan again")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"configurations": {"3d_fullres": []}}, "has configurations {'3d_fullres': []}, which is of another form"),
        (
            {"configurations": {"low": {"data_identifier": 5}}},
            "has data_identifier 5 of 'low', which is of another form",
        ),
        (
            {"configurations": {"low": {"patch_size": [8, 0]}}},
            "has patch_size [8, 0] of 'low', which is of another form",
        ),
        ({"configurations": {"low": {"spacing": [1e999]}}}, "has spacing [inf] of 'low', which is of another form"),
        ({"plans_name": ""}, "has plans_name '', which is of another form"),
        ({"mass": 5}, "has mass 5, which is of another form"),
        ({"mass": PLANS["mass"] | {"epochs": True}}, "has mass.epochs True, which is of another form"),
        ({"mass": PLANS["mass"] | {"epochs": 0}}, "has mass.epochs 0, which is of another form"),
        ({"mass": PLANS["mass"] | {"modalities": []}}, "has mass.modalities [], which is of another form"),
        ({"mass": PLANS["mass"] | {"modalities": [5]}}, "has mass.modalities [5], which is of another form"),
        (
            {"mass": PLANS["mass"] | {"modalities": [{"name": "CT", "dataset": "../Dataset801_X"}]}},
            "has mass.modalities [{'dataset': '../Dataset801_X', 'name': 'CT'}], which is of another form",
        ),
        (
            {"mass": PLANS["mass"] | {"modalities": [{"name": "CT", "dataset": "Dataset801_X", "channels": 0}]}},
            "has mass.modalities [{'channels': 0, 'dataset': 'Dataset801_X', 'name': 'CT'}], which is of another form",
        ),
        ({"mass": PLANS["mass"] | {"inference": "fuse"}}, "has mass.inference 'fuse', which is of another form"),
        ({"mass": PLANS["mass"] | {"modality": "PET"}}, "has mass.modality 'PET', of ['CT', 'MRI']"),
        *(
            ({"mass": PLANS["mass"] | {"regions": regions}}, f"has mass.regions {regions}, which is of another form")
            for regions in (5, [], [1, 2], [[]], [[1, 2], ["3"]], [[1], [3]], [[0, 1]], [[1, 10**12]])
        ),
        ({"mass": PLANS["mass"] | {"hyperparameters": "x" * 200}}, "x..., which is of another form"),
    ],
)
def test_another_form_is_named(change, line):
    with pytest.raises(UserError, match=re.escape(f"{line}: plan again")):
        check_form("p.json", PLANS | change, "plan again")


def test_what_is_no_plans_at_all_is_named():
    with pytest.raises(UserError, match=r"p\.json has no plans_name: plan again"):
        check_form("p.json", [1], "plan again")
