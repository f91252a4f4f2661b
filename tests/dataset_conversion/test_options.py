"""Options that several converters share."""

import argparse

import pytest

from mass_nnunet.data.pose import Pose
from mass_nnunet.dataset_conversion import options
from mass_nnunet.errors import UserError


def parsed(declare, *words):
    parser = argparse.ArgumentParser()
    declare(parser)
    return parser.parse_args(words)


def test_one_dataset_or_the_pair():
    assert parsed(options.add_dataset_id, "-d", "801").dataset_id == 801
    assert parsed(lambda parser: options.add_ct_and_mri_ids(parser, "801 802"), "-d", "7", "8").dataset_ids == [7, 8]
    with pytest.raises(SystemExit):
        parsed(options.add_dataset_id)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--modality", "CT"), "CT"),
        (("--modality", "MR"), "MRI"),
        (("--modality", "CT", "--name", "my-CT_2"), "my-CT_2"),
    ],
)
def test_the_name_is_that_of_the_modality_unless_given(words, name):
    assert options.dataset_name(parsed(options.add_naming, *words)) == name


@pytest.mark.parametrize("name", ["a b", "a/b", "ä"])
def test_a_name_that_nnunet_cannot_use(name):
    with pytest.raises(UserError, match=f"^--name {name}: use letters, digits, - and _ only$"):
        options.dataset_name(parsed(options.add_naming, "--modality", "CT", "--name", name))


def test_the_pose_is_looked_at_in_the_scans_unless_given(monkeypatch, tmp_path):
    monkeypatch.setattr(options, "usual_pose", lambda scans: list(scans))
    assert options.chosen_pose(parsed(options.add_pose).pose, [tmp_path]) == [tmp_path]
    for pose in Pose:
        assert options.chosen_pose(parsed(options.add_pose, "--pose", pose.value).pose, [tmp_path]) is pose
