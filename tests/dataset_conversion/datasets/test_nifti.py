from pathlib import Path

import pytest

from mass_nnunet.cli import main
from mass_nnunet.data.files import read_json
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.volume import read_volume
from mass_nnunet.dataset_conversion.datasets.nifti import find_cases, parse_labels
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from native_trees import BTCV_VALUES, organs, same_content, scan, source, write
from oblique import tilted


def test_labels_are_numbered_the_same_whatever_their_order():
    labels, table = parse_labels(["tumour=9", "liver=6", "spleen=1", "right_kidney=2", "left_kidney=3"])
    assert labels == {**LABELS, "tumour": 5}
    assert table == {0: 0, 1: 1, 2: 2, 3: 3, 6: 4, 9: 5}


def test_several_values_of_one_name_and_values_that_are_background():
    labels, table = parse_labels(["kidney=2,3", "background=4-6,9"])
    assert labels == {"background": 0, "kidney": 1}
    assert table == {0: 0, 2: 1, 3: 1, 4: 0, 5: 0, 6: 0, 9: 0}


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        (["liver"], "liver is not NAME=VALUES"),
        (["liver=a"], "liver=a is not NAME=VALUES"),
        (["liver=5-2"], "liver=5-2: values run from 0 to 65535, the smaller one first"),
        (["liver=70000"], "values run from 0 to 65535"),
        (["liver=1", "liver=2"], "names liver twice: give all its values at once, liver=1,2"),
        (["liver=1", "spleen=1"], "gives two names to the value 1"),
        (["liver=0"], "gives two names to the value 0"),
        (["background=4"], "names nothing but the background"),
    ],
)
def test_wrong_definitions(definitions, message):
    with pytest.raises(UserError, match=message):
        parse_labels(definitions)


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    images, labels = tmp_path / "scans of 2020, CT", tmp_path / "labels"
    for name in ("p1_a_0000.nii.gz", "p1_b.nii.gz", "p2_a.nii", "p3_a.nii.gz"):
        write(scan(len(name) + ord(name[1])), images / name)
    for name in ("p1_a.nii.gz", "p2_a.nii.gz", "p3_a.nii.gz"):
        write(organs(BTCV_VALUES), labels / name)
    return images, labels


def test_scans_and_labels_of_one_name(folders):
    cases = find_cases(source(folders[0]), folders[1], {}, "^(p[0-9])_")
    assert [(case.name, case.patient, case.label is None) for case in cases] == [
        ("p1_a", "p1", False),
        ("p1_b", "p1", True),
        ("p2_a", "p2", False),
        ("p3_a", "p3", False),
    ]
    alone = find_cases(source(folders[0]), None, {}, None)
    assert [(case.patient, case.label) for case in alone] == [(case.name, None) for case in cases]
    assert [case.patient for case in find_cases(source(folders[0]), None, {}, "p[0-9]")] == ["p1", "p1", "p2", "p3"]


def test_numbers_at_the_end_of_a_name_are_channels_where_there_is_a_first_one(tmp_path):
    for name in ("p_0001.nii.gz", "p_0002.nii.gz"):
        write(scan(int(name[5])), tmp_path / name)
    assert [case.name for case in find_cases(source(tmp_path), None, {}, None)] == ["p_0001", "p_0002"]
    write(scan(0), tmp_path / "p_0000.nii.gz")
    with pytest.raises(UserError, match=r"p_0001.nii.gz is channel 1 of p: name all channels with --channels"):
        find_cases(source(tmp_path), None, {}, None)


def test_several_channels(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    images = tmp_path / "images"
    for number in range(2):
        for channel in range(2):
            write(scan(10 * number + channel), images / f"p{number}_{channel:04d}.nii.gz")
    write(organs(BTCV_VALUES), tmp_path / "labels" / "p0.nii.gz")
    labels = [f"{name}={value}" for name, value in BTCV_VALUES.items()]
    words = ["convert", "nifti", str(images), str(tmp_path / "labels"), "-d", "810", "--modality", "MR", "-np", "1"]
    words += ["--labels", *labels, "--test-fraction", "0", "--channels", "T1in", "T1out"]
    assert main(words) == 0
    dataset = RawDataset.load(810)
    assert dataset.channels == ["T1in", "T1out"]
    for part, case, number in (("imagesTr", "p0", 0), ("imagesUn", "p1", 1)):
        for channel, file in enumerate(dataset.images(part, case)):
            assert same_content(read_volume(file), scan(10 * number + channel))
    assert main(words) == 0 and "is already there" in capsys.readouterr().out
    assert main(["check", "-d", "810"]) == 0
    assert main([*words[:5], "811", *words[6:], "--channels", "CT", "T1out"]) == 2
    assert "--channels CT: the first channel of a CT is called CT, and that of an MRI is not" in capsys.readouterr().err


def test_channels_that_are_not_those_named(tmp_path):
    def refused(channels: int, line: str) -> None:
        with pytest.raises(UserError, match=line):
            find_cases(source(tmp_path), None, {}, None, channels)

    write(scan(), tmp_path / "p_0000.nii.gz")
    refused(2, r"p_0000.nii.gz has no p_0001 beside it: add this channel")
    write(scan(1), tmp_path / "p_0001.nii.gz")
    (case,) = find_cases(source(tmp_path), None, {}, None, 2)
    assert [path.name for path in case.files()] == ["p_0000.nii.gz", "p_0001.nii.gz"]
    write(scan(1)[:, :, 1:], tmp_path / "p_0001.nii.gz")
    with pytest.raises(UserError, match=r"p_0001.nii.gz .* is not on the grid of .*p_0000.nii.gz .*: resample it to"):
        case.read_more(case.read().image)
    write(scan(), tmp_path / "p_0002.nii.gz")
    refused(2, r"p_0002.nii.gz is channel 2 of p: name all channels with --channels")
    (tmp_path / "p_0002.nii.gz").rename(tmp_path / "q.nii.gz")
    refused(2, r"q.nii.gz is no channel of a scan x_0000, x_0001, ...: rename it")


def test_bad_folders_and_names(folders, tmp_path):
    images, labels = folders
    with pytest.raises(UserError, match=r"labels holds no NIfTI file .*give the folder of the label maps"):
        (tmp_path / "empty").mkdir()
        find_cases(source(images), tmp_path / "empty/labels", {}, None)
    with pytest.raises(UserError, match=r"empty holds no NIfTI file .*give the folder of the scans"):
        find_cases(source(tmp_path / "empty"), None, {}, None)
    with pytest.raises(UserError, match=r"--patient-pattern \( is not a regular expression"):
        find_cases(source(images), None, {}, "(")
    with pytest.raises(UserError, match=r"p1_a_0000.nii.gz: --patient-pattern x finds no patient"):
        find_cases(source(images), None, {}, "x")
    write(organs(BTCV_VALUES), labels / "p4_a.nii.gz")
    with pytest.raises(UserError, match=r"p4_a.nii.gz has no scan"):
        find_cases(source(images), labels, {}, None)
    write(scan(), images / "p 1, left.nii.gz")
    with pytest.raises(UserError, match=r"p 1, left.nii.gz: rename it, a case's name is of letters"):
        find_cases(source(images), None, {}, None)
    (images / "p 1, left.nii.gz").unlink()
    write(scan(), images / "p1_a.nii.gz")
    with pytest.raises(UserError, match=r"p1_a.nii.gz and .*p1_a_0000.nii.gz are both the scan p1_a"):
        find_cases(source(images), None, {}, None)


def test_licence_and_reference_are_the_users(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    labels = [f"{name}={value}" for name, value in BTCV_VALUES.items()]
    words = ["convert", "nifti", *map(str, folders), "-d", "807", "--modality", "CT", "--labels", *labels, "-np", "1"]
    assert main([*words, "--licence", "CC0", "--reference", "Doe et al. 2020"]) == 0
    dataset = RawDataset.load(807)
    assert (dataset.licence, dataset.reference) == ("CC0", "Doe et al. 2020")


def test_whole_command(folders, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    options = ["-d", "807", "--modality", "CT", "--labels", *(f"{name}={value}" for name, value in BTCV_VALUES.items())]
    words = ["convert", "nifti", *map(str, folders), *options, "--patient-pattern", "^(p[0-9])", "-np", "1"]
    assert main([*words, "--name", "my scans"]) == 2
    assert "--name my scans: use letters" in capsys.readouterr().err
    assert main(words) == 0
    folder = tmp_path / "raw/Dataset807_CT"
    content = read_json(folder / "dataset.json", "")
    assert content["labels"] == LABELS
    assert "licence" not in content and "reference" not in content
    assert read_json(folder / "patients.json", "")["p2_a"] == "p2"
    (label,) = folder.rglob("labelsT?/p2_a.nii.gz")
    assert same_content(read_volume(label), organs(LABELS))
    assert main([*words, "--name", "my-scans"]) == 2  # the id is taken


@pytest.mark.parametrize(
    ("options", "reader"),
    [([], "NibabelIO"), (["--pose", "slices"], "NibabelIO"), (["--pose", "upright"], "NibabelIOWithReorient")],
)
def test_oblique_scans_keep_their_slices_unless_asked_otherwise(options, reader, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    for number in range(2):
        write(tilted(scan(number), 40, 40), tmp_path / "images" / f"p{number}.nii.gz")
        write(tilted(organs(BTCV_VALUES), 40, 40), tmp_path / "labels" / f"p{number}.nii.gz")
    labels = [f"chamber{value}={value}" for value in BTCV_VALUES.values()]  # the positions of hearts' parts are free
    words = ["convert", "nifti", str(tmp_path / "images"), str(tmp_path / "labels"), "-d", "809", "--modality", "MR"]
    assert main([*words, "--labels", *labels, *options, "-np", "1", "--test-fraction", "0"]) == 0
    assert ("stay slices" in capsys.readouterr().out) is (reader == "NibabelIO")
    folder = tmp_path / "raw" / "Dataset809_MRI"
    assert read_json(folder / "dataset.json", "")["overwrite_image_reader_writer"] == reader
    assert ("axes" in read_json(folder / "check.json", "")["p0"]["measures"]) is (reader == "NibabelIO")


def test_names_in_capitals_and_with_dots_are_read(tmp_path):
    for name, image in (
        ("images/1.3.6.1_0000", scan()),
        ("images/1.3.6.2", scan(1)),
        ("labels/1.3.6.1", organs(LABELS)),
    ):
        write(image, tmp_path / f"{name}.nii.gz").rename(tmp_path / f"{name}.NII.GZ")
    first, second = find_cases(source(tmp_path / "images"), tmp_path / "labels", {i: i for i in range(5)}, None)
    assert (first.name, second.name, second.label) == ("1.3.6.1", "1.3.6.2", None)
    image, label, _ = first.read()
    assert same_content(image, scan()) and same_content(label, organs(LABELS))
