"""The exported folder: what is in it, that editors read it, and that nothing of an expert is overwritten."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from exported_scans import correct, export, label_file
from mass_nnunet.annotation.exchange import (
    Outgoing,
    check_new,
    digest_of,
    itk_snap_table,
    read_export,
    slicer_table,
    write_export,
)
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from tiny_group import CT, MRI


def test_scans_and_labels_lie_on_one_grid_under_plain_names(pair, tmp_path):
    folder = export(tmp_path / "out", (CT, "ctun"), (MRI, "mr0"))
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == sorted(
        ["README.txt", "export.json"]
        + [f"{CT}/{name}" for name in ("ctun.nii.gz", "ctun_label.nii.gz", "labels.ctbl", "labels.txt")]
        + [f"{MRI}/{name}" for name in ("mr0.nii.gz", "mr0_label.nii.gz", "labels.ctbl", "labels.txt")]
    )
    scan, label = (sitk.ReadImage(str(folder / CT / f"ctun{end}.nii.gz")) for end in ("", "_label"))
    assert (scan.GetSize(), scan.GetOrigin(), scan.GetDirection()) == (
        label.GetSize(),
        label.GetOrigin(),
        label.GetDirection(),
    )
    assert not sitk.GetArrayFromImage(label).any()
    assert label.GetPixelID() == sitk.sitkUInt8
    original = pair / "raw" / CT / "imagesUn" / "ctun_0000.nii.gz"
    assert (folder / CT / "ctun.nii.gz").read_bytes() == original.read_bytes()
    readme = (folder / "README.txt").read_text()
    assert len(readme.splitlines()) == 3
    assert "1 spleen, 2 right_kidney, 3 left_kidney, 4 liver" in readme
    assert readme.splitlines()[2].endswith("mass_nnunet annotate-in out -d 801 802")
    found = read_export(folder)
    assert (found.fold, found.datasets, [one.case for one in found.cases]) == (0, (CT, MRI), ["ctun", "mr0"])
    assert not list(tmp_path.glob(".tmp*"))


def test_a_proposal_is_in_the_folder(pair, tmp_path):
    dataset = RawDataset.load(801)
    proposal = pair / "raw" / CT / "labelsTr" / "ct0.nii.gz"
    scan = Outgoing(dataset, "ct0", [pair / "raw" / CT / "imagesTr" / "ct0_0000.nii.gz"], proposal)
    write_export(tmp_path / "out", None, [CT], [scan])
    values = sitk.GetArrayFromImage(sitk.ReadImage(str(proposal)))
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(label_file(tmp_path / "out", CT, "ct0")))), values)
    found = read_export(tmp_path / "out")
    assert found.fold is None
    assert found.cases[0].label == digest_of(values.astype(np.int32))


def test_channels_and_other_endings_become_nifti(pair, tmp_path):
    dataset = RawDataset.load(801)
    original = sitk.ReadImage(str(pair / "raw" / CT / "imagesUn" / "ctun_0000.nii.gz"))
    files = [tmp_path / f"a_000{channel}.nrrd" for channel in range(2)]
    for file in files:
        sitk.WriteImage(original, str(file))
    scan = Outgoing(replace(dataset, content={**dataset.content, "file_ending": ".nrrd"}), "a", files, None)
    write_export(tmp_path / "out", 0, [CT], [scan])
    for name in ("a.nii.gz", "a_channel1.nii.gz"):
        image = sitk.ReadImage(str(tmp_path / "out" / CT / name))
        assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(original))


def test_the_tables_are_in_the_forms_of_the_editors():
    slicer = [line.split() for line in slicer_table(LABELS).splitlines() if not line.startswith("#")]
    assert [(int(line[0]), line[1]) for line in slicer] == [(value, name) for name, value in LABELS.items()]
    assert all(len(line) == 6 and all(0 <= int(v) <= 255 for v in line[2:]) for line in slicer)
    snap = [line.split(None, 7) for line in itk_snap_table(LABELS).splitlines() if not line.startswith("#")]
    assert [int(line[0]) for line in snap] == list(LABELS.values())
    assert [line[7] for line in snap] == ['"Clear Label"', '"spleen"', '"right_kidney"', '"left_kidney"', '"liver"']
    assert "5 a_b " in slicer_table({"background": 0, "a b": 5})


def test_a_folder_with_something_in_it_is_not_touched(pair, tmp_path):
    folder = export(tmp_path / "out", (CT, "ctun"))
    correct(folder, CT, "ctun")
    before = label_file(folder, CT, "ctun").read_bytes()
    with pytest.raises(UserError, match="out is not empty, and corrected labels in it would be lost: name a new"):
        export(folder, (CT, "ctun"))
    assert label_file(folder, CT, "ctun").read_bytes() == before
    with pytest.raises(UserError, match="is not empty"):
        check_new(folder / "README.txt")
    (tmp_path / "empty").mkdir()
    export(tmp_path / "empty", (CT, "ctun"))
    assert (tmp_path / "empty" / "export.json").is_file()


@pytest.mark.parametrize("case", ["ct0_label", "ct0_channel1"])
def test_a_scan_is_not_written_over_the_labels_or_a_channel_of_another_one(tmp_path, case):
    dataset = RawDataset(801, tmp_path / CT, {})
    scans = [Outgoing(dataset, "ct0", [tmp_path, tmp_path], None), Outgoing(dataset, case, [tmp_path], None)]
    line = f"ct0 and {case} of {tmp_path / CT} would both have a file {case}.nii.gz: rename one"
    with pytest.raises(UserError, match=f"^{line}$"):
        write_export(tmp_path / "out", None, [CT], scans)
    assert not (tmp_path / "out").exists()


def test_an_interrupted_export_leaves_nothing(pair, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mass_nnunet.annotation.exchange.slicer_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(tmp_path / "deep" / "out", (CT, "ctun"))
    assert list((tmp_path / "deep").iterdir()) == []


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"export.json does not exist: name a folder that `mass_nnunet suggest"):
        read_export(tmp_path)
    file = tmp_path / "export.json"
    file.write_text(json.dumps({"version": 2}))
    with pytest.raises(UserError, match="is of another version of mass_nnunet: export the scans again"):
        read_export(tmp_path)
    for content in ({"version": 1}, {"version": 1, "fold": 0, "datasets": [], "cases": [{"a": 1}]}, []):
        file.write_text(json.dumps(content))
        with pytest.raises(UserError, match="is not what mass_nnunet writes"):
            read_export(tmp_path)
