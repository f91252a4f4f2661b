"""planners/fingerprint.py: intensities of the body, shapes of all scans to train on, and no label."""

import json

import numpy as np
import pytest
from nibabel.filebasedimages import ImageFileError
from nnunetv2.imageio.nibabel_reader_writer import NibabelIOWithReorient
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.planners.apart import FINGERPRINT
from mass_nnunet.planners.fingerprint import (
    VOXELS_PER_SCAN,
    BodyFingerprintExtractor,
    intensity_properties,
    read_scan,
    sample_body,
)
from quick_planning import plan_quickly
from tiny_raw import write_raw_dataset, write_scan


@pytest.fixture
def raw(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    monkeypatch.setenv("nnUNet_preprocessed", str(tmp_path / "preprocessed"))
    plan_quickly(monkeypatch)
    return write_raw_dataset(tmp_path / "raw", "Dataset801_A", "CT", ["a"], ["b"], ["c"])


def draw(path, image, is_ct):
    write_scan(path, image, (1, 1, 1))
    (values,) = sample_body([str(path)], reader=NibabelIOWithReorient, is_ct=(is_ct,))
    assert len(values) == VOXELS_PER_SCAN
    return values


def test_body_of_a_ct_is_its_soft_tissue(tmp_path):
    image = np.array([-1000, -300, -100, 0, 40, 200, 1500], np.int16).repeat(10).reshape(7, 2, 5)
    assert set(draw(tmp_path / "a.nii.gz", image, is_ct=True)) == {-100, 0, 40, 200}


def test_body_of_an_mri_is_what_is_not_zero(tmp_path):
    image = np.array([0, 0, 5, 1500], np.int16).repeat(10).reshape(4, 2, 5)
    assert set(draw(tmp_path / "a.nii.gz", image, is_ct=False)) == {5, 1500}


@pytest.mark.parametrize(("is_ct", "reason"), [(True, "is it a CT in Hounsfield units"), (False, "no voxel but 0")])
def test_a_scan_without_body_is_named(tmp_path, is_ct, reason):
    image = np.full((4, 2, 5), 2000 if is_ct else 0, np.int16)
    with pytest.raises(UserError, match=rf"empty.nii.gz .*{reason}"):
        draw(tmp_path / "empty.nii.gz", image, is_ct)


@pytest.mark.parametrize("error", [OverflowError, ImageFileError, MemoryError, AssertionError])
def test_what_a_library_raises_where_a_header_is_wrong_names_the_file(error):
    class Reader(NibabelIOWithReorient):
        def read_images(self, files):
            raise error

    with pytest.raises(UserError, match=rf"a.nii.gz cannot be read \({error.__name__}\): copy or convert"):
        read_scan(["a.nii.gz"], Reader)


def test_properties_are_those_after_clipping():
    values = np.arange(1001, dtype=np.float32)
    properties = intensity_properties(values)
    assert (properties["percentile_00_5"], properties["percentile_99_5"]) == (5, 995)
    assert (properties["min"], properties["median"], properties["max"]) == (0, 500, 1000)
    assert properties["mean"] == pytest.approx(500)
    assert properties["std"] == pytest.approx(np.clip(values, 5, 995).std())
    assert properties["std"] < values.std()


def test_training_and_unlabelled_scans_are_in_it_and_test_scans_are_not(raw):
    write_scan(raw / "imagesUn" / "b_0000.nii.gz", np.ones((9, 20, 21), np.int16), (3.0, 2.0, 1.0))
    fingerprint = BodyFingerprintExtractor(RawDataset.load(801), 1).run()
    assert [list(shape) for shape in fingerprint["shapes_after_crop"]] == [[8, 24, 24], [9, 20, 21]]
    assert fingerprint["spacings"][1] == pytest.approx([3, 2, 1])


def test_labels_are_not_even_opened_and_the_file_is_what_is_returned(raw, tmp_path):
    before = BodyFingerprintExtractor(RawDataset.load(801), 1).run()
    (raw / "labelsTr" / "a.nii.gz").write_bytes(b"no image")
    after = BodyFingerprintExtractor(RawDataset.load(801), 1).run()
    written = json.loads((tmp_path / "preprocessed" / "Dataset801_A" / FINGERPRINT).read_text())
    assert json.loads(json.dumps(before)) == json.loads(json.dumps(after)) == written
    assert [path.name for path in (tmp_path / "preprocessed" / "Dataset801_A").iterdir()] == [FINGERPRINT]


def synthetic_ct() -> np.ndarray:
    """Air, a body of fat, organs and enhanced vessels, and bones; rounded to whole HU."""
    rng = np.random.default_rng(0)
    image = np.full((24, 64, 64), -1000.0)
    image[:, 10:54, 8:56] = -95  # fat
    image[:, 16:48, 14:50] = 50
    image[8:16, 20:30, 20:30] = 190
    image[:, 38:44, 30:36] = 600  # bone
    return (image + rng.normal(0, 12, image.shape)).round().astype(np.int16)


def test_a_ct_that_was_clipped_has_the_intensities_of_the_one_that_was_not(tmp_path):
    image = synthetic_ct()
    whole, clipped = (
        intensity_properties(draw(tmp_path / f"{name}.nii.gz", scan, is_ct=True))
        for name, scan in (("whole", image), ("clipped", np.clip(image, -125, 275)))
    )
    assert clipped["mean"] == pytest.approx(whole["mean"], abs=2)
    assert clipped["std"] == pytest.approx(whole["std"], abs=2)
    assert clipped["percentile_00_5"] == pytest.approx(whole["percentile_00_5"], abs=5)


def test_without_the_exclusion_air_would_count_as_soft_tissue(tmp_path):
    image = np.clip(synthetic_ct(), -125, 275)
    body = image[(image > -200) & (image < 300)]
    assert abs(body.mean() - draw(tmp_path / "a.nii.gz", image, is_ct=True).mean()) > 50


def test_a_ct_that_was_not_clipped_is_sampled_as_before(tmp_path):
    """Bit for bit, also where its smallest or largest intensity is one of soft tissue."""
    image = synthetic_ct()
    for name, scan in (("whole", image), ("cropped", image[:, 20:36, 16:28])):
        sampled = draw(tmp_path / f"{name}.nii.gz", scan, is_ct=True)
        body, _ = NibabelIOWithReorient().read_images([str(tmp_path / f"{name}.nii.gz")])
        body = body[(body > -200) & (body < 300)]
        np.testing.assert_array_equal(sampled, np.random.default_rng(0).choice(body, VOXELS_PER_SCAN))


def test_a_ct_of_clip_values_alone_is_kept(tmp_path):
    image = np.array([-100, 200], np.int16).repeat(20).reshape(2, 4, 5)
    assert set(draw(tmp_path / "a.nii.gz", image, is_ct=True)) == {-100, 200}


def test_an_mri_keeps_its_most_frequent_values(tmp_path):
    image = np.array([3, 3, 5, 9], np.int16).repeat(10).reshape(4, 2, 5)
    assert set(draw(tmp_path / "a.nii.gz", image, is_ct=False)) == {3, 5, 9}


@pytest.mark.parametrize("reader", [NibabelIOWithReorient, SimpleITKIO])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_scan_that_is_not_finite_is_named(tmp_path, reader, value):
    image = np.ones((4, 2, 5), np.float32)
    image[1, 1, 1] = value
    write_scan(tmp_path / "a.nii.gz", image, (1, 1, 1))
    with pytest.raises(UserError, match=r"^\S+/a.nii.gz holds values that are not finite \(NaN or infinity\)"):
        sample_body([str(tmp_path / "a.nii.gz")], reader=reader, is_ct=(False,))


@pytest.mark.parametrize("reader", [NibabelIOWithReorient, SimpleITKIO])
def test_a_scan_that_cannot_be_read_is_named(tmp_path, reader):
    file = tmp_path / "a.nii.gz"
    write_scan(file, np.arange(40, dtype=np.int16).reshape(4, 2, 5), (1, 1, 1))
    for content in (file.read_bytes()[:-30], b"no image", b""):
        file.write_bytes(content)
        with pytest.raises(UserError, match=rf"^{file} cannot be read \([^\n]*\): copy or convert the scan again$"):
            sample_body([str(file)], reader=reader, is_ct=(False,))
