"""``mass_nnunet visualize``: the page about a trained model, and what it refuses."""

import base64
import re
from pathlib import Path

from mass_nnunet.cli import main
from tiny_group import CT

PICTURE = re.compile(r"data:image/png;base64,([^\"]+)")


def visualize(tmp_path: Path, *words: str) -> int:
    return main(["visualize", *words, "-o", str(tmp_path / "page.html"), "-device", "cpu"])


def test_a_page_with_every_branch_and_the_registration_of_each_case(root, tmp_path):
    assert visualize(tmp_path, "cttest", "ct0", "ctun", "-d", "801") == 0
    page = (tmp_path / "page.html").read_text()
    assert [case for case in ("cttest", "ct0", "ctun") if f"<h2>{case}</h2>" in page] == ["cttest", "ct0", "ctun"]
    pictures = [base64.b64decode(found) for found in PICTURE.findall(page)]
    assert len(pictures) == 6
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert ["no truth is known" in caption for caption in captions[::2]] == [False, False, True]
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_what_is_not_there(root, tmp_path, capsys):
    assert visualize(tmp_path, "nobody", "-d", "801") == 2
    assert f"{CT} has no case nobody: name one of imagesTs, imagesTr or imagesUn" in capsys.readouterr().err
    assert visualize(tmp_path, "ct0", "-d", "801", "-f", "3") == 2
    assert "fold_3/checkpoint_final.pth does not exist: train the model" in capsys.readouterr().err
    assert main(["visualize", "ct0", "-d", "801", "-o", str(tmp_path / "page")]) == 2
    assert "page is not an HTML file: give a name that ends with .html" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
