"""mass_nnunet.data.dataset_json: entries of another form are refused in one line that shows the right one."""

import json
import shutil

import pytest

from mass_nnunet.cli import main
from mass_nnunet.data.dataset_json import REQUIRED, read_dataset_json
from mass_nnunet.errors import UserError
from tiny_raw import write_raw_dataset

SOUND = {"channel_names": {"0": "CT", "1": "PET"}, "labels": {"background": 0, "kidneys": [1, 2]}}
SOUND |= {"numTraining": 3, "file_ending": ".nii.gz"}
LABELS = r'write "labels": \{"background": 0, "spleen": 1, "liver": 2\}'
CHANNELS = r'write "channel_names": \{"0": "CT"\}'
WRONG = [
    ({"channel_names": {"CT": 0}}, rf'"channel_names": \{{"CT": 0\}}, .* {CHANNELS}$'),
    ({"channel_names": ["CT"]}, CHANNELS),
    ({"channel_names": "CT"}, CHANNELS),
    ({"channel_names": {"0": 1}}, CHANNELS),
    ({"channel_names": {}}, CHANNELS),
    ({"channel_names": {"1": "PET", "0": "CT"}}, CHANNELS),  # nnU-Net would take PET for channel 0
    ({"labels": {"0": "background", "1": "liver"}}, rf'"labels": \{{"0": "background", .* {LABELS}$'),
    ({"labels": ["background", "liver"]}, LABELS),
    ({"labels": {"background": "0", "liver": "1"}}, LABELS),
    ({"labels": {"background": 0, "liver": 1.5}}, LABELS),
    ({"labels": {"background": 0, "liver": -1}}, LABELS),
    ({"labels": {"background": False, "liver": True}}, LABELS),
    ({"labels": {"background": 0, "kidneys": []}}, LABELS),
    ({"labels": {}}, LABELS),
    ({"numTraining": "3"}, 'write "numTraining": 16'),
    ({"numTraining": None}, 'write "numTraining": 16'),
    ({"file_ending": ""}, 'write "file_ending": ".nii.gz"'),
    ({"file_ending": "nii.gz"}, 'write "file_ending": ".nii.gz"'),
    ({"file_ending": ".NII.GZ"}, r"cannot write: rename the files to \*.nii.gz"),
    ({"file_ending": ".png"}, r"3D only, make volumes"),
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "dataset.json"


def test_what_is_sound(file):
    file.write_text(json.dumps(SOUND | {"licence": ["x"]}))
    assert read_dataset_json(file, "copy it")["labels"] == SOUND["labels"]
    file.write_text('{"labels": {"background": 0}}')
    assert read_dataset_json(file, "copy it", ["labels"]) == {"labels": {"background": 0}}


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_has_another_form(file, change, message):
    file.write_text(json.dumps(SOUND | change))
    with pytest.raises(UserError, match=rf"^{file} has .*{message}") as caught:
        read_dataset_json(file, "copy it")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300 + len(str(file))


@pytest.mark.parametrize("key", REQUIRED)
def test_what_is_absent(file, key):
    file.write_text(json.dumps({name: value for name, value in SOUND.items() if name != key}))
    with pytest.raises(UserError, match=f"lacks {key}: add it"):
        read_dataset_json(file, "copy it")


@pytest.mark.parametrize("text", [b"[]", b"3", b"null", b'"labels"', b"", b"{'a': 1}", b"\xff\xfe{}", b"[" * 100_000])
def test_what_is_no_dataset_json_at_all(file, text):
    file.write_bytes(text)
    with pytest.raises(UserError, match=r"dataset.json is not .*: copy it$"):
        read_dataset_json(file, "copy it")


def test_a_long_entry_is_shown_in_part(file):
    file.write_text(json.dumps(SOUND | {"labels": {str(i): f"organ {i}" for i in range(100)}}))
    with pytest.raises(UserError, match=r'"1": "organ 1", .*\.\.\., which is of another form') as caught:
        read_dataset_json(file, "copy it")
    assert "organ 50" not in str(caught.value)


@pytest.mark.parametrize("command", [["check", "-np", "1"], ["split"], ["plan", "-np", "1"]])
@pytest.mark.parametrize("change", [WRONG[0][0], WRONG[6][0], WRONG[7][0], WRONG[8][0], WRONG[-1][0]])
def test_every_command_says_so_before_it_does_anything(tmp_path, monkeypatch, capsys, command, change):
    for kind in ("raw", "preprocessed"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    folder = write_raw_dataset(tmp_path / "raw", "Dataset801_A", "CT", ["a", "b"])
    shutil.copytree(folder, tmp_path / "raw/Dataset802_B")
    content = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(content | change))
    assert main([command[0], "-d", "801", "802", *command[1:]]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1 and f"{folder / 'dataset.json'} has " in errors[0]
    assert not (tmp_path / "preprocessed").exists()
