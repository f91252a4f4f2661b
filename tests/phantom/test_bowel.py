"""Bowel in an empty cavity of the reference body, beside an organ."""

import numpy as np
import pytest

from mass_nnunet.phantom.bowel import paint_bowel
from mass_nnunet.phantom.tissues import Tissue
from reference_body import reference_body

BOWEL = {Tissue.BOWEL_WALL, Tissue.BOWEL_FLUID, Tissue.FAECES, Tissue.GAS}


@pytest.fixture(scope="module")
def painted():
    canvas, vary = reference_body()
    canvas.cavity = np.hypot(canvas.x, canvas.y) < 120
    canvas.tissue[canvas.cavity] = Tissue.VISCERAL_FAT
    organ = canvas.cavity & (canvas.x > 60)  # where the colon would descend
    canvas.tissue[organ] = Tissue.SPLEEN
    paint_bowel(canvas, vary)
    return canvas, organ


def test_bowel_replaces_visceral_fat_only(painted):
    canvas, organ = painted
    assert (canvas.tissue[organ] == Tissue.SPLEEN).all()
    assert (canvas.tissue[~canvas.cavity] == Tissue.AIR).all()
    assert set(np.unique(canvas.tissue)) == {Tissue.AIR, Tissue.VISCERAL_FAT, Tissue.SPLEEN, *BOWEL}


def test_bowel_is_no_organ(painted):
    assert not painted[0].label.any()


def test_gas_lies_in_front(painted):
    canvas, _ = painted
    gas, faeces = (canvas.y[canvas.tissue == tissue].mean() for tissue in (Tissue.GAS, Tissue.FAECES))
    assert gas < faeces
