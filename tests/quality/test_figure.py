"""The picture shows the place that the table names."""

import SimpleITK as sitk

from mass_nnunet.data.raw import RawDataset
from mass_nnunet.quality import figure
from mass_nnunet.quality.assessment import Assessment, Organ
from mass_nnunet.quality.evidence import Evidence
from mass_nnunet.quality.figure import draw_case
from mass_nnunet.quality.grid import read_scan, read_shares


def test_a_picture_is_drawn(world, tmp_path, monkeypatch):
    dataset = RawDataset.read(world.raw)
    image, label = world.raw / "imagesTs" / "ct4_0000.nii.gz", world.raw / "labelsTs" / "ct4.nii.gz"
    case, stored = read_scan(image, "CT")
    shares = read_shares(label, dataset.labels).shares
    index = (5, 6, 7)
    organ = Organ(
        "liver", 0.4, 0.1, 0.7, None, None, None, 1.0, 1.0, index, stored.TransformIndexToPhysicalPoint(index)
    )
    shown = []
    show = figure.show
    monkeypatch.setattr(figure, "show", lambda axes, image, *rest: shown.append(image) or show(axes, image, *rest))
    evidence = Evidence(case, {}, shares, shares)
    draw_case(tmp_path / "ct4.jpg", Assessment("ct4", (organ,), ()), image, label, dataset, evidence.opinion)
    assert (tmp_path / "ct4.jpg").stat().st_size > 5000
    turned = sitk.DICOMOrient(stored, "LPS")
    expected = turned.TransformPhysicalPointToIndex(organ.position)[2]
    assert (shown[0] == sitk.GetArrayFromImage(turned)[expected]).all()
