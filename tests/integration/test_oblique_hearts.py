"""Real short-axis hearts: the nearest canonical axes of oblique scans differ between patients."""

import shutil

import pytest

from mass_nnunet.cli import main
from mass_nnunet.data.files import read_json
from native_trees import SHARED_DATA
from nnunet_threads import use_threads

pytestmark = pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no real data here")

LABELS = ["myocardium=1", "left_ventricle=2", "right_ventricle=3"]
HEARTS = {"LGE": ["01", "02", "07"], "bSSFP": ["11", "12", "16"]}  # slices along x, x, y in each of the two


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Both sequences as nnU-Net raw datasets 811 and 812."""
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    use_threads(monkeypatch)
    for number, (sequence, patients) in enumerate(HEARTS.items(), 811):
        for kind in ("image", "label"):
            (tmp_path / sequence / kind).mkdir(parents=True)
            for patient in patients:
                source = SHARED_DATA / "cardiac_mr" / sequence / f"{kind}_{patient}.nii.gz"
                shutil.copy(source, tmp_path / sequence / kind / f"{sequence}_{patient}.nii.gz")
        folders = [str(tmp_path / sequence / kind) for kind in ("image", "label")]
        options = ["-d", str(number), "--name", sequence, "--modality", "MR", "--test-fraction", "0", "-np", "1"]
        assert main(["convert", "nifti", *folders, *options, "--labels", *LABELS]) == 0
    return tmp_path


def test_check_names_the_scans_and_plan_refuses_the_group(root, capsys):
    assert main(["check", "-d", "811", "812", "-np", "1"]) == 0
    printed = capsys.readouterr().out
    warned = {line.split()[1] for line in printed.splitlines() if "its slices are stacked along y, those of" in line}
    assert warned == {"LGE_07", "bSSFP_16"}
    (finding,) = read_json(root / "raw" / "Dataset811_LGE" / "check.json", "")["LGE_07"]["findings"]
    assert finding["level"] == "warning"
    assert main(["plan", "-d", "811", "812", "--no-preprocess", "-np", "1"]) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert (
        "stacked along x in 4 of the 6 scans of the group, but along y in 1 of the 3 scans of Dataset811_LGE" in error
    )
    assert "(LGE_07) and along y in 1 of the 3 scans of Dataset812_bSSFP (bSSFP_16)" in error
