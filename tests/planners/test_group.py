"""planners/group.py: which datasets may be planned together."""

import json
import shutil

import nibabel
import numpy as np
import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.planners.group import check_axes, load_group, modality_names
from tiny_raw import write_raw_dataset


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    names = (("Dataset801_A", "CT"), ("Dataset802_B", "MRI"), ("Dataset803_C", "MRI"))
    return [write_raw_dataset(tmp_path, name, channel, ["a"], ["b"], shape=(2, 4, 4)) for name, channel in names]


def change(folder, **entries):
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_names_are_those_of_the_channels(folders):
    assert modality_names(load_group([801, 802])) == ["CT", "MRI"]


def test_names_that_two_datasets_share_get_the_id(folders):
    assert modality_names(load_group([803, 801, 802])) == ["MRI_803", "CT", "MRI_802"]


@pytest.mark.parametrize("ids", [[801], [801, 801]])
def test_no_partner_is_a_group_of_one(folders, ids):
    assert modality_names(load_group(ids)) == ["CT"]


def test_partner_that_does_not_exist(folders):
    with pytest.raises(UserError, match="no dataset 804"):
        load_group([801, 804])


def test_different_labels_are_both_printed(folders):
    change(folders[1], labels={"background": 0, "liver": 1})
    with pytest.raises(
        UserError,
        match=r"differ: \{'background': 0, 'spleen': 1.*\} and \{'background': 0, 'liver': 1\}; .*-d ID --map liver`",
    ):
        load_group([801, 802])
    change(folders[1], labels={"background": 0, "heart": 1})
    with pytest.raises(UserError, match=r"make datasets with the same ones by labels of the same names"):
        load_group([801, 802])


@pytest.mark.parametrize(
    ("labels", "order", "line"),
    [
        ({"background": 0, "liver": 1, "ignore": 7}, None, "label 'ignore' with the value 7: give it 2"),
        ({"background": 0, "organs": [1, 3], "liver": 3}, [1, 3], "'1': 1, 'liver': 3}: .* without gaps"),
        ({"background": 0, "organs": [1, 2], "liver": 2}, [2, 1], "with which nnU-Net writes 2 where 1 is"),
    ],
)
def test_labels_that_the_methods_cannot_learn(folders, labels, order, line):
    """In a training they would be classes of their own, or an index beyond all classes."""
    for folder in folders[:2]:
        change(folder, labels=labels, regions_class_order=order)
    with pytest.raises(UserError, match=rf"Dataset801_A/dataset\.json has .*{line}"):
        load_group([801, 802])


REGIONS = {"background": 0, "organs": [1, 2], "liver": 2}


def test_datasets_of_a_group_have_the_same_regions(folders):
    for folder in folders[:2]:
        change(folder, labels=REGIONS, regions_class_order=[1, 2])
    change(folders[0], labels=REGIONS | {"ignore": 3})
    first, second = load_group([801, 802])
    assert first.labels == second.labels == {"background": 0, "1": 1, "liver": 2}
    assert (first.values["ignore"], first.scored, first.regions) == (3, REGIONS | {"ignore": 3}, second.regions)
    for labels in (
        {"background": 0, "all": [1, 2], "liver": 2},
        {"background": 0, "liver": 2, "organs": [1, 2]},
        {"background": 0, "1": 1, "liver": 2},
    ):
        change(folders[1], labels=labels)
        with pytest.raises(UserError, match="the regions of Dataset801_A and Dataset802_B differ: give both the same"):
            load_group([801, 802])


def test_one_of_the_datasets_may_have_ignored_voxels(folders):
    change(folders[0], labels={**json.loads((folders[0] / "dataset.json").read_text())["labels"], "ignore": 5})
    first, second = load_group([801, 802])
    assert first.labels == second.labels
    assert (first.values["ignore"], "ignore" in second.values) == (5, False)


def test_different_numbers_of_channels(folders):
    """Each dataset has its own; but a scan without a label needs labelled ones with as many channels."""
    second = write_raw_dataset(folders[1].parent, "Dataset804_D", "MRI", ["a"], ["b"], shape=(2, 4, 4), more=["T2"])
    assert [len(dataset.channels) for dataset in load_group([801, 804])] == [1, 2]
    without_labelled_scans(second)
    line = "no scan of Dataset804_D has a label, and those of Dataset801_A cannot serve in training"
    with pytest.raises(UserError, match=line):
        load_group([804, 801])
    write_raw_dataset(folders[1].parent, "Dataset805_E", "MRI", ["a"], shape=(2, 4, 4), more=["T2"])
    assert len(load_group([804, 801, 805])) == 3


def test_different_readers(folders):
    change(folders[1], overwrite_image_reader_writer="SimpleITKIO")
    with pytest.raises(UserError, match=r"the readers .* differ: NibabelIOWithReorient and SimpleITKIO"):
        load_group([801, 802])


def without_labelled_scans(folder):
    for part in ("imagesTr", "labelsTr"):
        shutil.rmtree(folder / part)
    change(folder, numTraining=0)


def test_dataset_of_scans_without_labels_only_needs_one_with_labels(folders):
    without_labelled_scans(folders[1])
    assert [dataset.id for dataset in load_group([801, 802])] == [801, 802]
    with pytest.raises(
        UserError, match=r"^Dataset802_B: imagesTr holds no scan, .*: plan them with a dataset that has"
    ):
        load_group([802])
    without_labelled_scans(folders[0])
    with pytest.raises(UserError, match=r"^Dataset801_A and Dataset802_B: imagesTr holds no scan"):
        load_group([801, 802])


def test_dataset_without_any_scan(folders):
    without_labelled_scans(folders[1])
    shutil.rmtree(folders[1] / "imagesUn")
    with pytest.raises(UserError, match=r"Dataset802_B holds no scan: put labelled scans into imagesTr, others into"):
        load_group([801, 802])


def test_scan_without_label(folders):
    (folders[1] / "labelsTr" / "a.nii.gz").unlink()
    with pytest.raises(UserError, match=r"labelsTr/a.nii.gz does not exist: move the scan to imagesUn"):
        load_group([801, 802])


AXIAL, CORONAL, CUBIC = [5.0, 2.0, 2.0], [1.75, 8.0, 1.75], [1.0, 1.1, 1.2]


def fingerprints(*spacings):
    return [{"spacings": list(of_dataset)} for of_dataset in spacings]


@pytest.mark.parametrize(
    "spacings",
    [
        [[AXIAL, AXIAL], [[7.7, 1.25, 1.25], CUBIC]],
        [[CUBIC, CUBIC], [CORONAL, CUBIC]],
        [[CORONAL, CORONAL], [CORONAL, CORONAL]],  # one axis for all: whatever it is
        [[CUBIC, CUBIC], [CUBIC, CUBIC]],
    ],
)
def test_slices_along_one_axis_pass(folders, spacings):
    check_axes(load_group([801, 802]), fingerprints(*spacings))


def test_slices_along_another_axis_within_a_dataset(folders):
    with pytest.raises(UserError) as refused:
        check_axes(load_group([801, 802]), fingerprints([AXIAL, CORONAL], [AXIAL, CUBIC]))
    assert str(refused.value) == (
        "slices are stacked along z in 2 of the 4 scans of the group, but along y in 1 of the 2 scans of Dataset801_A "
        "(b): one grid for both would be coarse within slices; convert oblique scans with --pose slices "
        "(`mass_nnunet convert nifti`), or leave them out (`mass_nnunet check -d 801 802` lists them)"
    )


def test_slices_along_another_axis_in_another_dataset(folders):
    with pytest.raises(
        UserError,
        match=r"along z in 2 of the 4 scans of the group, but along x in 2 of the 2 scans of Dataset802_B \(a, b\): ",
    ):
        check_axes(load_group([801, 802]), fingerprints([AXIAL, AXIAL], [AXIAL[::-1], AXIAL[::-1]]))


@pytest.mark.parametrize("part", ["imagesTr/a", "imagesUn/b"])
def test_a_header_that_nnunet_would_misread(folders, part):
    """nnU-Net takes micron for mm, a thousand times the voxel size."""
    file = folders[1] / f"{part}_0000.nii.gz"
    image = nibabel.load(file)
    image = nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine)
    image.header.set_xyzt_units("micron")
    nibabel.save(image, file)
    with pytest.raises(UserError, match=f"{file} gives its voxel size in micron, which nnU-Net takes for mm"):
        load_group([801, 802])
    file.write_text("<html>")
    with pytest.raises(UserError, match=rf"{file} cannot be read \(it is no NIfTI file\)"):
        load_group([801, 802])
