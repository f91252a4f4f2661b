"""The picture shows the place that the table names."""

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.data.pose import Pose
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.quality import figure
from mass_nnunet.quality.assessment import Assessment, Organ
from mass_nnunet.quality.evidence import Evidence
from mass_nnunet.quality.figure import draw_case
from mass_nnunet.quality.grid import Lattice, read_scan, read_shares
from oblique import tilted


def test_a_picture_is_drawn(world, tmp_path, monkeypatch):
    dataset = RawDataset.read(world.raw)
    image, label = world.raw / "imagesTs" / "ct4_0000.nii.gz", world.raw / "labelsTs" / "ct4.nii.gz"
    case, stored = read_scan(image, "CT", Lattice(Pose.UPRIGHT, 10.0))
    shares = read_shares(label, dataset.labels, Lattice(Pose.UPRIGHT, 10.0)).shares
    index = (5, 6, 7)
    organ = Organ(
        "liver", 0.4, 0.1, 0.7, None, None, None, 1.0, 1.0, index, stored.TransformIndexToPhysicalPoint(index)
    )
    shown = []
    show = figure.show
    monkeypatch.setattr(figure, "show", lambda axes, image, *rest: shown.append(image) or show(axes, image, *rest))
    opinion = Evidence(case, {}, shares, shares).opinion
    draw_case(tmp_path / "ct4.jpg", Assessment("ct4", (organ,), ()), image, label, dataset, opinion, Pose.UPRIGHT)
    assert (tmp_path / "ct4.jpg").stat().st_size > 5000
    turned = sitk.DICOMOrient(stored, "LPS")
    expected = turned.TransformPhysicalPointToIndex(organ.position)[2]
    assert (shown[0] == sitk.GetArrayFromImage(turned)[expected]).all()


@pytest.mark.parametrize(("pose", "tilt"), [(Pose.UPRIGHT, 10), (Pose.SLICES, 40), (Pose.SLICES, 50)])
def test_the_second_opinion_lies_on_the_segmentation(world, tmp_path, monkeypatch, pose, tilt):
    dataset, lattice = RawDataset.read(world.raw), Lattice(pose, 3.0)
    image, label = tmp_path / "ct4_0000.nii.gz", tmp_path / "ct4.nii.gz"
    for file, part in ((image, "imagesTs"), (label, "labelsTs")):
        sitk.WriteImage(tilted(sitk.ReadImage(str(world.raw / part / file.name)), tilt, 0), str(file))
    case, _ = read_scan(image, "CT", lattice)
    shares = read_shares(label, dataset.labels, lattice).shares
    liver = np.argwhere(sitk.GetArrayFromImage(sitk.ReadImage(str(label))) == 4)
    index = tuple(int(i) for i in liver[len(liver) // 2][::-1])
    organ = Organ("liver", 0.4, 0.1, 0.7, None, None, None, 1.0, 1.0, index, (0.0, 0.0, 0.0))
    painted, drawn = [], []
    monkeypatch.setattr(figure, "paint", lambda axes, its, *rest: painted.append(its))
    monkeypatch.setattr(figure, "draw_truth", lambda axes, its, *rest: drawn.append(its))
    evidence = Evidence(case, {}, shares, shares)
    draw_case(tmp_path / "a.jpg", Assessment("ct4", (organ,), ()), image, label, dataset, evidence.opinion, pose)
    assert (painted[0] == 4).any()
    for one, other in zip(painted, drawn, strict=True):
        both = np.count_nonzero((one > 0) & (one == other))
        assert 2 * both > 0.7 * (np.count_nonzero(one) + np.count_nonzero(other))
