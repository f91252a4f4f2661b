from mass_nnunet.benchmark.run.grid import load_grid
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.demo import pictures


def test_the_model_of_the_first_modality_is_asked_once_about_its_first_test_scan(finished):
    folder, (images, truth) = finished.asked
    dataset = "Dataset801_BTCV"
    assert folder == finished.out / "benchmark" / "models" / dataset / "MASSTrainer__MASSPlans__3d_fullres"
    raw = finished.out / "nnUNet_raw" / dataset
    assert images == [raw / "imagesTs" / "btcv_test_0000.nii.gz"]
    assert truth == raw / "labelsTs" / "btcv_test.nii.gz"


def test_the_model_is_not_asked_again_where_the_pictures_are_there(finished, variables, monkeypatch):
    monkeypatch.delattr(pictures, "load_model")
    job = make_jobs(load_grid(finished.out / "grid.yaml"))[-1]
    pictures.draw_model(job, *(finished.out / "pictures" / name for name in ("branches.png", "registration.png")))


def test_overlays_have_the_first_scans_and_curves_all_trainings(finished, variables, monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(pictures, "plot_overlays", lambda scans, path: drawn.extend(scans))
    monkeypatch.setattr(pictures, "plot_curves", lambda runs, path: drawn.extend(runs))
    jobs = make_jobs(load_grid(finished.out / "grid.yaml"))
    pictures.draw_overlays(jobs, tmp_path / "a.png")
    pictures.draw_curves(jobs, tmp_path / "b.png")
    scans, titles = drawn[:2], drawn[2:]
    assert [scan.title for scan in scans] == ["CT · btcv_test", "MRI · chaos_test"]
    for scan in scans:
        assert list(scan.predictions) == ["DualStreamTrainer", "MASSTrainer"]
        assert all(file.is_file() for file in (scan.image, scan.truth, *scan.predictions.values()))
    assert titles == ["DualStreamTrainer, CT and MRI", "MASSTrainer, CT and MRI"]
