import re
from types import SimpleNamespace


def text_of(finished: SimpleNamespace) -> str:
    """The visible text of the page, with one space between words."""
    return " ".join(re.sub(r"<[^>]+>", " ", (finished.out / "report.html").read_text(encoding="utf-8")).split())


def test_the_page_has_the_scores_and_leads_to_the_report_of_the_benchmark(finished):
    html = (finished.out / "report.html").read_text(encoding="utf-8")
    assert "CT (n = 1): DualStreamTrainer 0.400, MASSTrainer 0.912." in html
    assert '<a href="benchmark/report.html">the report of the benchmark</a>' in html
    text = text_of(finished)
    assert "modality method spleen right kidney mean" in text
    assert "MRI MASSTrainer 0.912 0.912 0.912" in text


def test_the_page_counts_the_scans(finished):
    # Of four patients one is validated on, and half of the other three keep their labels; one has none.
    assert "modality labelled unlabelled validation test CT 2 2 1 1 MRI 2 2 1 1" in text_of(finished)


def test_the_page_shows_pictures_of_scans_model_and_trainings(finished):
    html = (finished.out / "report.html").read_text(encoding="utf-8")
    assert html.count("data:image/png") == 6
    names = {file.name for file in (finished.out / "pictures").iterdir()}
    assert names == {"overlays.png", "branches.png", "registration.png", "curves.png"}


def test_the_page_tells_the_commands_the_grid_and_those_of_nnunet(finished):
    html = (finished.out / "report.html").read_text(encoding="utf-8")
    assert all(line in html for line in finished.calls)
    assert f"export nnUNet_results={finished.out}/benchmark/models" in html
    assert "methods: [DualStreamTrainer, MASSTrainer]" in html
    assert "nnUNetv2_train 801 3d_fullres 0 -tr MASSTrainer -p MASSPlans -device cpu" in html
    assert "mass_nnunet visualize -d 801 btcv_test" in html
