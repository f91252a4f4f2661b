"""Common parts of figures: reading, slices and windows, colours, contours, and complete files."""

import numpy as np
import pytest
import SimpleITK as sitk
from matplotlib.colors import to_rgb
from PIL import Image

from mass_nnunet.data.pose import Pose, pose_to_compare
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS, ORGANS
from mass_nnunet.reporting.drawing import (
    COLOURS,
    draw_truth,
    figure_file,
    grey_window,
    organ_colours,
    paint,
    read_radiological,
    show,
    typical_slice,
)
from oblique import tilted
from oriented_body import SHAPE, body, write_body


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "LAS", "PIR"])
def test_reading_turns_every_orientation_to_the_radiological(tmp_path, orientation):
    array, spacing = read_radiological(write_body(tmp_path / "x.nii.gz", body(), orientation), Pose.UPRIGHT)
    np.testing.assert_array_equal(array, body())
    assert spacing == pytest.approx((5.0, 1.0, 1.0))


@pytest.mark.parametrize("angle", [-40, -50])
def test_oblique_slices_are_shown_as_slices(tmp_path, angle):
    """The nearest anatomical axis of the slices is z at -40 degrees, and y at -50."""
    image = tilted(sitk.GetImageFromArray(body().astype(np.uint8)), angle, 0)
    sitk.WriteImage(image, str(tmp_path / "x.nii.gz"))
    array, spacing = read_radiological(tmp_path / "x.nii.gz", pose_to_compare([tmp_path / "x.nii.gz"]))
    np.testing.assert_array_equal(array, body())
    assert spacing == pytest.approx((6.0, 2.0, 1.5))


def test_typical_slice_is_where_all_organs_are_large():
    assert typical_slice(body()) == 2
    labels = body()
    labels[3, 10:24, 30:34] = LABELS["spleen"]
    assert typical_slice(labels) == 3
    assert typical_slice(np.zeros(SHAPE, int)) == 3


def test_window_of_ct_is_fixed_and_of_others_is_not():
    image = np.linspace(0, 1000, 1001)
    assert grey_window(image, "CT") == (-160, 240)
    assert grey_window(image, "MRI") == pytest.approx((10, 995))


def test_a_figure_is_written_whole_or_not_at_all(tmp_path):
    for name, start in (("a.png", b"\x89PNG"), ("a.jpg", b"\xff\xd8"), ("a.svg", b"<?xml")):
        with figure_file(tmp_path / name, 2, 3, (3, 2)) as (_, grid):
            assert grid.shape == (2, 3) and not (tmp_path / name).exists()
        assert (tmp_path / name).read_bytes().startswith(start)
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(RuntimeError), figure_file(tmp_path / "a.png", 1, 1, (3, 2)):
        raise RuntimeError
    assert (tmp_path / "a.png").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.jpg", "a.png", "a.svg"]


def test_the_same_figure_is_the_same_svg(tmp_path):
    for name in ("a.svg", "b.svg"):
        with figure_file(tmp_path / name, 1, 1, (3, 2)) as (_, grid):
            grid[0, 0].plot([1, 3, 2], label="x")
            grid[0, 0].legend()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_colours_repeat_and_background_has_none():
    assert organ_colours(LABELS) == dict(zip(ORGANS, COLOURS, strict=False))
    many = organ_colours({"background": 0} | {f"organ{i}": i for i in range(1, 10)})
    assert len(many) == 9 and many["organ8"] == many["organ1"] == COLOURS[0]


def test_organs_are_filled_and_the_truth_has_white_contours(tmp_path):
    labels = body()[2]
    with figure_file(tmp_path / "x.png", 1, 2, (8, 4)) as (_, grid):
        for axes in grid[0]:
            show(axes, np.zeros(SHAPE[1:]), (0, 1), 1.0)
        paint(grid[0, 0], labels, 1.0, LABELS)
        draw_truth(grid[0, 1], labels, LABELS)
        overlay = grid[0, 0].images[-1].get_array()
        lines = [contour.get_edgecolor()[0][:3] for contour in grid[0, 1].collections]
    liver, spleen = (np.array(to_rgb(organ_colours(LABELS)[organ])) for organ in ("liver", "spleen"))
    np.testing.assert_allclose(overlay[20, 10, :3], liver)
    np.testing.assert_allclose(overlay[15, 40, :3], spleen)
    assert overlay[0, 0, 3] == 0 < overlay[20, 10, 3] < 1
    np.testing.assert_allclose(lines, 1)
    assert len(lines) == 2  # liver and spleen
    picture = np.asarray(Image.open(tmp_path / "x.png").convert("RGB"))
    assert (picture[:, picture.shape[1] // 2 :].min(-1) > 200).any()


def test_a_label_map_is_read_with_the_labels_of_its_dataset(tmp_path):
    file = write_body(tmp_path / "x.nii.gz", body(), "RAS")
    np.testing.assert_array_equal(read_radiological(file, Pose.UPRIGHT, LABELS)[0], body())
    with pytest.raises(UserError, match=r"x.nii.gz has value \d, which dataset.json does not name"):
        read_radiological(file, Pose.UPRIGHT, {"background": 0, "spleen": 1})


def test_a_name_is_no_formula(tmp_path):
    """Two $ enclose a formula in matplotlib, and most names are invalid ones."""
    with figure_file(tmp_path / "a.svg", 1, 1, (2, 2)) as (_, grid):
        grid[0, 0].set_title(r"case$\frac$1 <b>")
    assert "<b>" not in (tmp_path / "a.svg").read_text(encoding="utf-8")
