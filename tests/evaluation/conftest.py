"""Two cases with predictions and truth."""

import json

import pytest

from label_maps import write_label_map
from masks import box
from mass_nnunet.labels import LABELS


@pytest.fixture
def folders(tmp_path):
    """Two cases: one predicted well, one where the spleen is not found and the truth has no liver."""
    predictions, truth = tmp_path / "predictions", tmp_path / "Dataset1_X" / "labelsTs"
    first = box((2, 2, 2), (6, 8, 8)) + 4 * box((6, 10, 10), (10, 18, 20))
    write_label_map(truth / "a.nii.gz", first)
    write_label_map(predictions / "a.nii.gz", first)
    write_label_map(truth / "b.nii.gz", 1 * box((2, 2, 2), (6, 8, 8)))
    write_label_map(predictions / "b.nii.gz", 4 * box((2, 2, 2), (4, 4, 4)))
    content = json.dumps({"labels": LABELS, "file_ending": ".nii.gz"})
    (truth.parent / "dataset.json").write_text(content)
    return predictions, truth
