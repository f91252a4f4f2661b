"""Figures: the right slice, the right side, complete files."""

import matplotlib
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from mass_nnunet.api.best_atlas import Registration
from mass_nnunet.data.pose import Pose
from mass_nnunet.labels import LABELS
from mass_nnunet.reporting import figures
from mass_nnunet.reporting.drawing import COLOURS, organ_colours
from mass_nnunet.reporting.figures import Frame, OverlayRow, plot_curves, plot_overlays, plot_registration, plot_terms
from oblique import tilted
from oriented_body import SHAPE, body, write_body


def share_of(picture, colour):
    """Column of the picture, 0 to 1, around which the pixels of a colour lie."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    near = np.abs(picture.astype(int) - wanted).sum(-1) < 40
    assert near.any()
    return np.nonzero(near)[1].mean() / picture.shape[1]


@pytest.mark.parametrize("orientation", ["LPS", "RAS"])
def test_overlays_show_the_liver_on_the_left_of_the_picture(tmp_path, orientation):
    image = write_body(tmp_path / "image.nii.gz", np.zeros(SHAPE, np.float32), orientation)
    truth = write_body(tmp_path / "truth.nii.gz", body(), orientation)
    scan = OverlayRow("CT", "CT", image, truth, {})
    plot_overlays([scan], tmp_path / "overlays.png")
    picture = np.asarray(Image.open(tmp_path / "overlays.png").convert("RGB"))
    panel = picture[: picture.shape[0] * 3 // 4, picture.shape[1] // 2 :]  # the truth, without the legend
    assert share_of(panel, COLOURS[3]) < 0.5 < share_of(panel, COLOURS[0])


def test_overlays_have_a_column_for_each_method(tmp_path):
    truth = write_body(tmp_path / "truth.nii.gz", body())
    nothing = write_body(tmp_path / "nothing.nii.gz", np.zeros(SHAPE, np.uint8))
    image = write_body(tmp_path / "image.nii.gz", np.random.default_rng(0).normal(size=SHAPE).astype(np.float32))
    widths = []
    for predictions in ({}, {"A": truth, "B": nothing}):
        plot_overlays([OverlayRow("MRI", "MRI", image, truth, predictions)] * 2, tmp_path / "new" / "overlays.png")
        widths.append(Image.open(tmp_path / "new" / "overlays.png").width)
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.02)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["overlays.png"]


def test_registration_draws_straight_lines_for_no_deformation_and_bent_ones_for_some(tmp_path):
    labels = body()[:, ::-1, ::-1]  # to RAS
    image = np.zeros(SHAPE)
    probabilities = np.eye(5)[labels].transpose(3, 0, 1, 2)
    wave = np.zeros((3, *SHAPE))
    wave[1:] = 3 * np.sin(np.arange(SHAPE[2]) / 4)
    shares = []
    for field in (np.zeros((3, *SHAPE)), wave):
        path = tmp_path / "registration.png"
        registration = Registration(image, image, image, field, labels, probabilities, labels)
        plot_registration(registration, path, Frame((5.0, 1.2, 1.0), Pose.UPRIGHT, LABELS))
        picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
        grid = picture[60:-90, int(picture.shape[1] * 0.51) : int(picture.shape[1] * 0.655)]
        lit = grid[..., 2] > 150
        shares.append(lit.mean(axis=1).max())
        assert share_of(picture[:-60, : picture.shape[1] // 6], COLOURS[3]) < 0.5  # the atlas's liver: patient's right
    assert shares[0] > 0.95 > shares[1]  # a straight line fills a whole row of the picture


def test_legends_name_the_labels_of_the_dataset(tmp_path, monkeypatch):
    named, values = [], {"background": 0, "myocardium": 1, "ventricle": 2, "ignore": 3}
    monkeypatch.setattr(figures, "legend", lambda figure, labels, *, truth: named.append(labels))
    labels, image = np.minimum(body(), 2), np.zeros(SHAPE)
    frame = Frame((5.0, 1.0, 1.0), Pose.UPRIGHT, values)
    figures.plot_branches(image, labels, {"head": labels}, tmp_path / "a.png", frame)
    shares = np.eye(3)[labels].transpose(3, 0, 1, 2)
    registration = Registration(image, image, image, np.zeros((3, *SHAPE)), labels, shares, labels)
    plot_registration(registration, tmp_path / "b.png", frame)
    assert named == [values, values]
    assert list(organ_colours(values)) == ["myocardium", "ventricle"]


@pytest.mark.parametrize("pose", Pose)
def test_arrays_are_shown_as_files_of_their_pose_are(tmp_path, monkeypatch, pose):
    shown, image = [], np.random.default_rng(0).normal(size=SHAPE)
    monkeypatch.setattr(figures, "show", lambda axes, its, *rest: shown.append(its))
    figures.plot_branches(image, None, {"head": body()}, tmp_path / "a.png", Frame((5.0, 1.0, 1.0), pose, LABELS))
    stored = tilted(sitk.GetImageFromArray(image), -40, 0)
    stored = pose.turn(stored)
    array = sitk.GetArrayFromImage(stored)
    expected = sitk.GetArrayFromImage(sitk.DICOMOrient(stored, pose.shown(stored)))
    np.testing.assert_array_equal(array[0][pose.flips], expected[0])
    np.testing.assert_array_equal(shown[0], image[2][pose.flips])


def test_pictures_do_not_depend_on_the_style_that_a_caller_has_set(tmp_path):
    plot_terms({"mass_a": [1.0, 0.5]}, tmp_path / "plain.png", prefix="mass_")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        plot_terms({"mass_a": [1.0, 0.5]}, tmp_path / "styled.png", prefix="mass_")
        assert matplotlib.rcParams["font.size"] == 30
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "styled.png").read_bytes()


def test_curves_and_terms_are_drawn_from_nnunets_log(tmp_path):
    log = {"train_losses": [1.0, 0.5], "val_losses": [1.1, 0.7], "mean_fg_dice": [0.1, 0.4], "lrs": [0.1, 0.05]}
    log |= {f"mass_{term}": [1.0, 0.2] for term in "abcde"} | {f"mass_{term}": [0.0, 0.0] for term in "fghi"}  # off
    plot_curves({"one": log, "two": log}, tmp_path / "curves.png")
    plot_terms(log, tmp_path / "terms.png", prefix="mass_")
    plot_terms({"mass_a": [1.0], "lrs": [0.1]}, tmp_path / "first.png", prefix="mass_")  # after the first epoch
    sizes = {name: Image.open(tmp_path / f"{name}.png").size for name in ("curves", "terms", "first")}
    assert sizes["terms"][0] == pytest.approx(4 * sizes["first"][0], rel=0.01)
    assert sizes["terms"][1] == pytest.approx(2 * sizes["first"][1], rel=0.01)
    assert np.asarray(Image.open(tmp_path / "curves.png").convert("L")).std() > 5
