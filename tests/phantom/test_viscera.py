"""The organs without random differences, painted one by one into an empty cavity of the reference body."""

import numpy as np
import pytest

from mass_nnunet.phantom import viscera
from mass_nnunet.phantom.tissues import Btcv, Tissue
from reference_body import reference_body

ML = 5**3 / 1000
"""Volume of a grid point."""


@pytest.fixture
def body():
    """A cavity that is all fat."""
    canvas, vary = reference_body()
    canvas.cavity = np.ones_like(canvas.cavity)
    canvas.tissue[:] = Tissue.VISCERAL_FAT
    return canvas, vary


@pytest.mark.parametrize(
    ("paint", "label", "volume"),
    [
        (viscera.paint_spleen, Btcv.SPLEEN, (100, 350)),
        (viscera.paint_liver, Btcv.LIVER, (900, 2600)),
        (viscera.paint_gallbladder, Btcv.GALLBLADDER, (15, 60)),
        (viscera.paint_stomach, Btcv.STOMACH, (150, 900)),
        (viscera.paint_pancreas, Btcv.PANCREAS, (30, 150)),  # with the vein behind it
    ],
)
def test_an_organ_has_the_volume_of_an_adult(body, paint, label, volume):
    canvas, vary = body
    paint(canvas, vary)
    assert {0, label} == set(np.unique(canvas.label)) - {Btcv.PORTAL_VEIN}
    low, high = volume
    assert low < (canvas.label == label).sum() * ML < high


@pytest.mark.parametrize(("side", "label"), [(-1, Btcv.RIGHT_KIDNEY), (1, Btcv.LEFT_KIDNEY)])
def test_a_kidney_lies_on_its_side_without_its_sinus(body, side, label):
    canvas, vary = body
    viscera.paint_kidney(canvas, vary, side)
    kidney = canvas.label == label
    assert set(np.unique(canvas.label)) == {0, label}
    assert 80 < kidney.sum() * ML < 250
    assert (canvas.x[kidney] * side > 0).all()
    assert set(np.unique(canvas.tissue[kidney])) <= {Tissue.RENAL_CORTEX, Tissue.RENAL_MEDULLA, Tissue.CYST}
    assert (canvas.tissue == Tissue.URINE).any() and not (kidney & (canvas.tissue == Tissue.URINE)).any()


def test_vessels_of_the_liver_belong_to_it(body):
    canvas, vary = body
    viscera.paint_liver(canvas, vary)
    vessels = canvas.tissue == Tissue.HEPATIC_VESSEL
    assert vessels.any() and (canvas.label[vessels] == Btcv.LIVER).all()


def test_the_great_vessels_leave_the_cavity_as_it_was(body):
    canvas, vary = body
    canvas.cavity[:] = canvas.z < 100
    viscera.paint_great_vessels(canvas, vary)
    np.testing.assert_array_equal(canvas.cavity, canvas.z < 100)
    aorta, cava = (canvas.label == label for label in (Btcv.AORTA, Btcv.VENA_CAVA))
    assert np.ptp(canvas.z[aorta]) > 300  # from below to above, through the diaphragm
    assert canvas.x[cava].mean() < canvas.x[aorta].mean()  # to the patient's right


def test_adrenals_lie_on_their_sides(body):
    canvas, vary = body
    viscera.paint_adrenals(canvas, vary)
    right, left = (canvas.x[canvas.label == label] for label in (Btcv.RIGHT_ADRENAL, Btcv.LEFT_ADRENAL))
    assert right.max() < 0 < left.min()
