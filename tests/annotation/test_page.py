"""The page and its pictures."""

from pathlib import Path

import pytest
import SimpleITK as sitk

from balanced import Balanced
from mass_nnunet.annotation.page import plot_scan, suggestion_page
from mass_nnunet.annotation.suggestion import Suggestion
from mass_nnunet.labels import LABELS
from tiny_group import CT


@pytest.mark.parametrize("labelled", [True, False])
def test_a_picture_with_and_without_labels(pair, tmp_path, labelled):
    scan, label = pair / "raw" / CT / "imagesTr" / "ct0_0000.nii.gz", pair / "raw" / CT / "labelsTr" / "ct0.nii.gz"
    plot_scan(scan, label if labelled else None, "CT", LABELS, tmp_path / "a.png")
    image = sitk.ReadImage(str(tmp_path / "a.png"))
    colours = sitk.GetArrayFromImage(image).astype(int)
    is_coloured = (abs(colours[..., 0] - colours[..., 2]) > 40).any()
    assert is_coloured == labelled
    assert image.GetSize()[0] > 500


@pytest.mark.parametrize("uncertainty", [None, 0.25])
def test_a_page_has_each_scan_with_its_reason_and_picture(pair, tmp_path, uncertainty):
    scan = pair / "raw" / CT / "imagesTr" / "ct0_0000.nii.gz"
    plot_scan(scan, None, "CT", LABELS, tmp_path / "a.png")
    found = [
        Suggestion(i, CT, "CT", case, "p", 0.5, 2, uncertainty, f"Because <{case}>.") for i, case in enumerate("ab", 1)
    ]
    pictures: dict[tuple[str, str], Path] = {(CT, case): tmp_path / "a.png" for case in "ab"}
    page = suggestion_page(found, pictures, "How.", ["mass_nnunet suggest -d 801"])
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert parser.seen.count("img") == 2
    assert page.count("Because &lt;a&gt;.") == 1
    assert ("0.25" in page) == ("model proposes" in page) == (uncertainty is not None)
    assert "2 scans of Dataset801_CTS" in page
    assert "images of patients" in page
