import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from converting import contents, convert, error_of
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.raw import Part
from mass_nnunet.data.volume import read_volume
from mass_nnunet.dataset_conversion.datasets.chaos import ChaosCase
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase
from mass_nnunet.dataset_conversion.staging import Stage
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from mass_nnunet.runtime.lock import Lock
from native_trees import BTCV_VALUES, btcv_tree, organs, same_content, scan, write, write_btcv_case
from oblique import tilted

TABLE = {value: value for value in LABELS.values()}


@pytest.fixture
def case(tmp_path) -> NiftiCase:
    label = write(sitk.DICOMOrient(organs(LABELS), "PIR"), tmp_path / "label.nii.gz")
    return NiftiCase(name="a", patient="a", image=write(scan(), tmp_path / "image.nii.gz"), label=label, table=TABLE)


@pytest.fixture
def stage(tmp_path) -> Stage:
    stage = Stage(tmp_path / "stage", LABELS, "CT")
    stage.tidy({"a"})
    return stage


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_case_is_upright_and_measured(case, stage):
    staged = stage.convert(case)
    assert set(staged.measures.organs) == set(LABELS) - {"background"}
    for path, expected in ((stage.images("a")[0], scan()), (stage.label("a"), organs(LABELS))):
        volume = read_volume(path)
        assert same_content(volume, expected)
        assert np.array_equal(np.sign(np.diag(np.reshape(volume.GetDirection(), (3, 3)))), [-1, -1, 1])  # RAS in LPS


def test_what_is_done_is_taken_up_as_it_was(case, stage):
    first = stage.convert(case)
    before = times(stage.folder)
    second = stage.convert(case)
    assert times(stage.folder) == before
    assert (second.signature, second.notes) == (first.signature, first.notes)
    assert second.measures.organs == {
        name: replace(organ, centre_mm=list(organ.centre_mm)) for name, organ in first.measures.organs.items()
    }
    assert np.array_equal(second.preview.image, first.preview.image)


@pytest.mark.parametrize("lost", ["a.npz", "a.nii.gz", "a_0000.nii.gz"])
def test_a_case_that_lacks_a_file_is_converted_again(case, stage, lost):
    stage.convert(case)
    (stage.folder / lost).unlink()
    stage.convert(case)
    assert sorted(times(stage.folder)) == ["a.nii.gz", "a.npz", "a_0000.nii.gz"]


def test_a_record_that_is_no_record_and_another_source(case, stage):
    signature = stage.convert(case).signature
    (stage.folder / "a.npz").write_bytes(b"half")
    assert stage.convert(case).signature == signature
    write(scan(1), case.image)
    assert stage.convert(case).signature != signature
    assert same_content(read_volume(stage.images("a")[0]), scan(1))


def test_bad_files_are_returned_and_bad_disks_raised(case, stage, monkeypatch):
    wrong = replace(case, label=case.image.with_name("absent.nii.gz"))
    error = stage.convert(wrong)
    assert isinstance(error, UserError)
    assert "absent.nii.gz cannot be read (No such file or directory): check the file" in str(error)
    assert times(stage.folder) == {}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError) as caught:
        stage.convert(case)
    assert caught.value.filename == str(stage.folder / "a.npz")
    assert sorted(times(stage.folder)) == ["a.nii.gz", "a_0000.nii.gz"]  # whole, but without a record not done


@dataclass(frozen=True, kw_only=True)
class RenamedCase(NiftiCase):
    """The same case after a change of the code: another class, with an attribute that does not matter."""

    _cache: dict = field(default_factory=dict)


def test_the_signature_does_not_hang_on_the_code(case, stage):
    values = {entry.name: getattr(case, entry.name) for entry in fields(case)}
    renamed = RenamedCase(**values, _cache={"x": 1})
    assert repr(renamed) != repr(case)
    assert stage.signature(renamed) == stage.signature(case)


def touch(case: NiftiCase) -> NiftiCase:
    write(scan(1), case.image)
    return case


@pytest.mark.parametrize(
    "change",
    [
        lambda case: replace(case, name="b"),
        lambda case: replace(case, patient="b"),
        lambda case: replace(case, label=None),
        lambda case: replace(case, part=Part.TEST),
        lambda case: replace(case, may_stop_short=True),
        lambda case: replace(case, table=TABLE | {1: 2}),
        lambda case: replace(case, image=case.label, label=case.image),
        touch,
    ],
    ids=["name", "patient", "no label", "part", "may stop short", "table", "exchanged files", "changed file"],
)
def test_what_matters_changes_the_signature(case, stage, change: Callable[[NiftiCase], NiftiCase]):
    before = stage.signature(case)
    assert stage.signature(change(case)) != before


def test_labels_channel_and_version_change_the_signature(case, stage, monkeypatch):
    before = stage.signature(case)
    assert replace(stage, folder=stage.folder / "x").signature(case) == before
    assert replace(stage, channel="MRI").signature(case) != before
    assert replace(stage, labels={"background": 0, "liver": 1}).signature(case) != before
    monkeypatch.setattr("mass_nnunet.dataset_conversion.staging.SIGNATURE_VERSION", 99)
    assert stage.signature(case) != before


def test_the_phase_of_a_series_is_described(tmp_path):
    case = ChaosCase(name="a", patient="a", folder=tmp_path, phase="InPhase")
    assert case.described() != replace(case, phase="OutPhase").described()


def test_a_case_is_described_by_values_that_json_has(case):
    assert not re.search(r"Path|<|Part\.", str(replace(case, part=Part.TEST).described()))


def test_slices_of_a_case_stay_slices(tmp_path):
    image, label = tilted(scan(), 40, 40), tilted(organs(LABELS), 40, 40)
    files = [
        write(sitk.DICOMOrient(volume, "SAR"), tmp_path / name) for volume, name in ((image, "i.nii"), (label, "l.nii"))
    ]
    case = NiftiCase(name="a", patient="a", image=files[0], label=files[1], table=TABLE)
    stages = [Stage(tmp_path / pose.value, LABELS, "MRI", pose) for pose in Pose]
    done = [stage.convert(case) for stage in stages]
    assert done[0].signature != done[1].signature
    assert done[0].measures.axes is None
    (stage,) = (stage for stage in stages if stage.pose is Pose.SLICES)
    again = stage.convert(case)
    assert np.allclose(again.measures.axes, done[1].measures.axes)
    for path, expected in ((stage.images("a")[0], image), (stage.label("a"), label)):
        volume = read_volume(path)
        assert same_content(volume, expected)
        assert volume.GetSpacing()[2] == pytest.approx(6)


def test_killed_conversion_goes_on(tmp_path, raw, monkeypatch):
    """Killed while the dataset was put together: some files are in their places, one case is half written."""
    source = btcv_tree(tmp_path / "src")
    assert convert("btcv", source, "-d", 801) == 0
    folder, staging = raw / "Dataset801_BTCV", raw / ".tmp-Dataset801_BTCV"
    before = contents(folder)
    inodes = {path.name: path.stat().st_ino for path in folder.rglob("*.nii.gz")}
    shutil.rmtree(folder)
    replace = Path.replace

    def killed(self, target):
        if "labelsTs" in str(target):
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        assert convert("btcv", source, "-d", 801) == 130
    assert not folder.exists()
    assert list(staging.glob("dataset/*/*.nii.gz"))
    inodes = {path.name: path.stat().st_ino for path in staging.rglob("*.nii.gz")}
    (staging / "cases/.tmp-1-btcv_0061_0000.nii.gz").write_bytes(b"half")
    (staging / "cases/btcv_0099.npz").write_bytes(b"of another source")
    assert convert("btcv", source, "-d", 801) == 0
    assert contents(folder) == before
    assert {path.name: path.stat().st_ino for path in folder.rglob("*.nii.gz")} == inodes
    assert [path.name for path in raw.iterdir()] == [folder.name]


def test_a_second_conversion_of_a_dataset_is_refused(tmp_path, raw, capsys):
    source = str(btcv_tree(tmp_path / "src"))
    with Lock.take(raw / ".tmp-Dataset801_BTCV", tidy=True):
        before = contents(raw)
        error = error_of(capsys, "btcv", source, "-d", "801")
        assert ".tmp-Dataset801_BTCV belongs to another conversion of the same dataset: start again" in error
        assert contents(raw) == before
    assert convert("btcv", source, "-d", "801") == 0
    assert [path.name for path in raw.iterdir()] == ["Dataset801_BTCV"]
    with Lock.take(raw / ".tmp-Dataset801_BTCV", tidy=True):
        assert "belongs to another conversion" in error_of(capsys, "btcv", source, "-d", "801")


def test_a_source_file_that_changed_is_converted_again(tmp_path, raw, capsys):
    source = btcv_tree(tmp_path / "src", labelled=2, unlabelled=1)
    write_btcv_case(source, 3, scan(3)[1:], organs(BTCV_VALUES))
    error_of(capsys, "btcv", source, "-d", 801)
    write_btcv_case(source, 61, scan(99))
    write_btcv_case(source, 3, scan(3), organs(BTCV_VALUES))
    assert convert("btcv", source, "-d", 801) == 0
    assert same_content(read_volume(raw / "Dataset801_BTCV/imagesUn/btcv_0061_0000.nii.gz"), scan(99))
