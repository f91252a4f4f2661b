import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

from mass_nnunet.cli import main
from mass_nnunet.dataset_conversion.relabel import parse_map
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from mass_nnunet.planners.group import load_group
from tiny_raw import write_raw_dataset


@pytest.fixture(autouse=True)
def raw(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    write_raw_dataset(tmp_path, "Dataset801_A", "CT", ["a", "b"], ["u"], ["t"], patients=dict.fromkeys("abut", "p"))
    return tmp_path


def values(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def relabel(*words: str) -> int:
    return main(["relabel", "-d", "801", *words, "-np", "1"])


def test_labels_are_kept_joined_and_dropped(raw, capsys):
    write_raw_dataset(raw, "Dataset802_B", "MRI", ["m"])
    assert relabel("--map", "liver", "kidney=right_kidney,left_kidney") == 0
    old, new = raw / "Dataset801_A", raw / "Dataset803_A-relabelled"  # 802 is taken
    assert f"wrote {new} with labels {{'background': 0, 'liver': 1, 'kidney': 2}}" in capsys.readouterr().out
    verify_dataset_integrity(str(new), 1)
    assert json.loads((new / "dataset.json").read_text())["labels"] == {"background": 0, "liver": 1, "kidney": 2}
    for part, name in (("Tr", "a"), ("Tr", "b"), ("Ts", "t")):
        before, after = (values(folder / f"labels{part}" / f"{name}.nii.gz") for folder in (old, new))
        assert np.array_equal(after, np.select([before == 4, np.isin(before, (2, 3))], [1, 2], 0))
        assert values(old / f"images{part}" / f"{name}_0000.nii.gz").shape == after.shape
    for path in old.glob("images*/*.nii.gz"):
        assert (new / path.relative_to(old)).samefile(path)
    assert json.loads((new / "patients.json").read_text()) == dict.fromkeys("abut", "p")


def test_labels_of_another_tool_are_relabelled_and_no_slice_of_them_is_ignored(raw):
    (raw / "Dataset801_A" / "pseudo").mkdir()
    label = sitk.ReadImage(str(raw / "Dataset801_A" / "labelsTr" / "a.nii.gz"))
    before = sitk.GetArrayFromImage(label)
    before[before == 2] = 0
    before[5:] = 0  # blunt ends
    cut = sitk.GetImageFromArray(before)
    cut.CopyInformation(label)
    sitk.WriteImage(cut, str(raw / "Dataset801_A" / "pseudo" / "u.nii.gz"))
    assert relabel("--map", "liver", "kidney=right_kidney,left_kidney", "--ignore-ends", "--to", "811") == 0
    after = values(raw / "Dataset811_A-relabelled" / "pseudo" / "u.nii.gz")
    assert np.array_equal(after, np.select([before == 4, np.isin(before, (2, 3))], [1, 2], 0))


def test_the_common_subset_makes_a_group(raw):
    other = write_raw_dataset(raw, "Dataset802_B", "MRI", ["m"], ["n"])
    content = json.loads((other / "dataset.json").read_text())
    labels = {"background": 0, "liver": 1, "spleen": 2, "right_kidney": 3, "left_kidney": 4}
    (other / "dataset.json").write_text(json.dumps(content | {"labels": labels}))
    with pytest.raises(UserError, match=r"relabel -d ID --map spleen right_kidney left_kidney liver`") as caught:
        load_group([801, 802])
    names = str(caught.value).split("--map ")[1].rstrip("`").split()
    for dataset, new in (("801", "811"), ("802", "812")):
        assert main(["relabel", "-d", dataset, "--map", *names, "--to", new, "-np", "1"]) == 0
    assert [dataset.content["labels"] for dataset in load_group([811, 812])] == [LABELS, LABELS]


def test_a_killed_run_goes_on(raw, monkeypatch):
    link, calls = sitk.WriteImage, []

    def killed(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        link(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(sitk, "WriteImage", killed)
        assert relabel("--map", "liver") == 130
    assert sorted(path.name for path in raw.iterdir()) == [".tmp-Dataset802_A-relabelled", "Dataset801_A"]
    assert relabel("--map", "liver") == 0
    assert len(list((raw / "Dataset802_A-relabelled").glob("labels*/*.nii.gz"))) == 3


@pytest.mark.parametrize("change", ["map", "label"])
def test_a_killed_run_does_not_go_on_with_other_labels(raw, monkeypatch, change):
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert relabel("--map", "liver") == 130
    if change == "label":
        file = raw / "Dataset801_A" / "labelsTr" / "a.nii.gz"
        label = sitk.ReadImage(str(file))
        sitk.WriteImage(sitk.Cast(label == 4, sitk.sitkUInt8) * 0 + 4, str(file))
    assert relabel("--map", "spleen" if change == "map" else "liver") == 0
    before, after = (values(raw / name / "labelsTr/a.nii.gz") for name in ("Dataset801_A", "Dataset802_A-relabelled"))
    assert np.array_equal(after == 1, before == (1 if change == "map" else 4))
    assert {path.name for path in (raw / "Dataset802_A-relabelled").iterdir()} >= {"dataset.json", "labelsTr"}
    assert not (raw / "Dataset802_A-relabelled" / "relabel.json").exists()


def test_a_disk_without_links_gets_copies(raw, monkeypatch):
    def no_links(*_):
        raise PermissionError

    monkeypatch.setattr("os.link", no_links)
    assert relabel("--map", "liver", "--to", "850", "--name", "L") == 0
    copy, original = (raw / name / "imagesTr/a_0000.nii.gz" for name in ("Dataset850_L", "Dataset801_A"))
    assert not copy.samefile(original)
    assert copy.read_bytes() == original.read_bytes()


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        (["heart"], "D has no label heart, but spleen, right_kidney, left_kidney, liver"),
        (["background"], "D has no label background"),
        (["liver", "organ=liver,spleen"], "uses liver twice"),
        (["a=b=c"], "a=b=c is not NAME or NEW=OLD,OLD"),
    ],
)
def test_wrong_maps(definitions, message):
    with pytest.raises(UserError, match=message):
        parse_map(definitions, LABELS, "D")


def test_a_dataset_that_is_there(raw, capsys):
    assert relabel("--map", "liver", "--to", "801", "--name", "A") == 2
    assert "Dataset801_A exists: delete it first" in capsys.readouterr().err
    assert relabel("--map", "liver", "--to", "801") == 2
    assert "dataset id 801 is taken by Dataset801_A" in capsys.readouterr().err
    assert main(["relabel", "-d", "801", "--map", "liver", "-np", "0"]) == 2


def test_structures_that_were_not_annotated_and_ignored_voxels_stay_so(raw):
    old = raw / "Dataset801_A"
    content = json.loads((old / "dataset.json").read_text())
    (old / "dataset.json").write_text(json.dumps(content | {"labels": {**LABELS, "ignore": 5}}))
    (old / "annotated.json").write_text(json.dumps({"a": ["liver", "left_kidney"]}))
    label = sitk.ReadImage(str(old / "labelsTr" / "b.nii.gz"))
    label[0, 0, 0] = 5
    sitk.WriteImage(label, str(old / "labelsTr" / "b.nii.gz"))
    assert relabel("--map", "liver", "kidney=right_kidney,left_kidney", "--to", "802") == 0
    new = raw / "Dataset802_A-relabelled"
    labels = {"background": 0, "liver": 1, "kidney": 2, "ignore": 3}
    assert json.loads((new / "dataset.json").read_text())["labels"] == labels
    assert json.loads((new / "annotated.json").read_text()) == {"a": ["liver"]}
    assert values(new / "labelsTr" / "b.nii.gz")[0, 0, 0] == 3


def test_a_case_without_an_annotated_structure_is_refused(raw, capsys):
    (raw / "Dataset801_A" / "annotated.json").write_text(json.dumps({"a": ["spleen"]}))
    assert relabel("--map", "liver") == 2
    assert "annotated.json: no new structure was annotated in a: keep one" in capsys.readouterr().err
    assert relabel() == 2
    assert "give --map, --ignore-ends, or both" in capsys.readouterr().err
