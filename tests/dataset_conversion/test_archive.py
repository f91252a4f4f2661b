import stat
import sys
import zipfile
from pathlib import Path

import pytest

from mass_nnunet.cli import main
from mass_nnunet.dataset_conversion import archive
from mass_nnunet.dataset_conversion.archive import opened
from mass_nnunet.dataset_conversion.datasets.btcv import find_cases
from mass_nnunet.errors import UserError
from native_trees import btcv_tree


@pytest.fixture(autouse=True)
def raw(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    return tmp_path / "raw"


def pack(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(folder.rglob("*")):
            packed.write(file, file.relative_to(folder))
    return path


def pack_one(path: Path, member: zipfile.ZipInfo | str, content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(member, content)
    return path


def names(path: Path) -> list[str]:
    with opened(path) as source:
        return sorted(case.name for case in find_cases(source))


NAMES = ["btcv_0001", "btcv_0002", "btcv_0061"]


def test_folder_zip_and_folder_with_zips_hold_the_same(tmp_path, raw):
    tree = btcv_tree(tmp_path / "tree/RawData", labelled=2)
    assert names(tmp_path / "tree") == NAMES
    assert not raw.exists()
    (tmp_path / "zipped").mkdir()
    packed = pack(tmp_path / "tree", tmp_path / "zipped/RawData.zip")
    assert names(packed) == names(tmp_path / "zipped") == NAMES
    assert list(raw.iterdir()) == []  # what was unpacked is gone
    # One part zipped in a zip, the other one not.
    (tmp_path / "mixed/inner").mkdir(parents=True)
    (tree / "Testing").rename(tmp_path / "mixed/Testing")
    pack(tree, tmp_path / "mixed/inner/Training.zip")
    pack(tmp_path / "mixed/inner", tmp_path / "mixed/outer.zip")
    (tmp_path / "mixed/inner/Training.zip").unlink()
    assert names(tmp_path / "mixed") == NAMES


def test_what_was_unpacked_by_hand_counts_once(tmp_path):
    btcv_tree(tmp_path / "RawData", labelled=2)
    pack(tmp_path / "RawData", tmp_path / "RawData.zip")  # unpacked into a folder of the archive's name
    assert names(tmp_path) == NAMES
    assert names(tmp_path / "RawData.zip") == NAMES


def test_only_data_is_unpacked(tmp_path, raw):
    tree = btcv_tree(tmp_path / "tree", labelled=1, unlabelled=0)
    (tree / "run.sh").write_text("no")
    (tree / "__MACOSX/Training").mkdir(parents=True)
    (tree / "__MACOSX/Training/._img0001.nii.gz").write_text("no")
    with opened(pack(tree, tmp_path / "a.zip")) as source:
        files = [path.name for root in source.roots for path in root.rglob("*") if path.is_file()]
    assert sorted(files) == ["img0001.nii.gz", "label0001.nii.gz"]


def test_a_killed_run_keeps_what_is_unpacked(tmp_path, raw, monkeypatch):
    packed = pack(btcv_tree(tmp_path / "tree", labelled=2), tmp_path / "a.zip")
    with pytest.raises(KeyboardInterrupt), opened(packed) as source:
        kept = {path: path.stat().st_mtime_ns for path in source.roots[0].rglob("*.nii.gz")}
        raise KeyboardInterrupt
    lost = next(iter(kept))
    lost.unlink()
    with opened(packed) as source:
        assert set(source.roots[0].rglob("*.nii.gz")) == set(kept)
        assert all(path.stat().st_mtime_ns == time for path, time in kept.items() if path != lost)


@pytest.mark.parametrize(
    "name", ["../evil.nii.gz", "/evil.nii.gz", "a/../../evil.nii.gz", "C:evil.nii.gz", "..\\evil.nii"]
)
def test_paths_that_lead_out_are_refused(tmp_path, name):
    packed = pack_one(tmp_path / "a.zip", name)
    with (
        pytest.raises(UserError, match=r"a.zip holds '.*evil.nii.*', with a path that leads out of the archive"),
        opened(packed),
    ):
        pass
    assert not list(tmp_path.rglob("evil*"))


def test_links_are_refused(tmp_path):
    member = zipfile.ZipInfo("Training/img/img0001.nii.gz")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed = pack_one(tmp_path / "a.zip", member, b"/etc/passwd")
    with pytest.raises(UserError, match=r"a.zip holds 'Training/img/img0001.nii.gz', a symbolic link"), opened(packed):
        pass


def test_encrypted_archives_are_refused(tmp_path):
    packed = pack_one(tmp_path / "a.zip", "img0001.nii.gz")
    content = bytearray(packed.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    packed.write_bytes(content)
    with pytest.raises(UserError, match=r"a.zip is encrypted: unpack it by hand"), opened(packed):
        pass


def test_damaged_archives_leave_no_file(tmp_path, raw):
    packed = pack(btcv_tree(tmp_path / "tree", labelled=1), tmp_path / "a.zip")
    content = bytearray(packed.read_bytes())
    content[400] ^= 255  # in the first member's data
    packed.write_bytes(content)
    with pytest.raises(UserError, match=r"a.zip cannot be unpacked .*download it again"), opened(packed):
        pass
    assert not list(raw.rglob("*.nii.gz"))
    packed.write_bytes(content[:-30])
    with pytest.raises(UserError, match=r"a.zip cannot be unpacked \(File is not a zip file\)"), opened(packed):
        pass
    with pytest.raises(UserError, match=r"x.tar is neither a folder nor a zip archive"), opened(tmp_path / "x.tar"):
        pass
    (tmp_path / "in").mkdir()
    (tmp_path / "in/b.zip").write_text("no archive")
    with pytest.raises(UserError, match=r"b.zip cannot be unpacked"), opened(tmp_path / "in"):
        pass


def test_archives_in_archives_end_somewhere(tmp_path):
    inner = pack_one(tmp_path / "0.zip", "x.nii")
    for number in range(1, 4):
        inner = pack_one(tmp_path / f"{number}.zip", f"{number - 1}.zip", inner.read_bytes())
    (tmp_path / "other").mkdir()
    outer = inner.rename(tmp_path / "other/outer.zip")
    with pytest.raises(UserError, match="an archive in an archive in an archive: unpack it by hand"), opened(outer):
        pass


def test_a_disk_that_is_too_small(tmp_path, monkeypatch):
    packed = pack(btcv_tree(tmp_path / "tree", labelled=1), tmp_path / "a.zip")
    usage = archive.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda folder: usage._replace(free=100))
    with pytest.raises(UserError, match=r"a.zip unpacks to .* GB, .* has 0.0 GB left on its disk"), opened(packed):
        pass


def test_a_dataset_from_an_archive_is_known_again(tmp_path, raw, capsys):
    packed = pack(btcv_tree(tmp_path / "tree", labelled=2), tmp_path / "a.zip")
    for printed in ("wrote ", "is already there"):
        assert main(["convert", "btcv", str(packed), "-d", "801", "-np", "1"]) == 0
        assert printed in capsys.readouterr().out
    assert [path.name for path in raw.iterdir()] == ["Dataset801_BTCV"]


def test_confidential_archives_are_unpacked_without_names_and_never_stay(tmp_path):
    tree = tmp_path / "tree"
    for name in ("Doe_Jane/IM1", "Doe_Jane/1.2.840.113", "Doe_Jane/x.IMA", "inner/y.dcm"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(name.encode())
    pack(tree / "inner", tree / "Doe_Jane/Doe_Jane.zip")
    packed = pack(tree, tmp_path / "export.zip")
    with opened(packed, confidential=True) as source:
        files = [path for root in source.roots for path in root.rglob("*") if path.is_file()]
        assert {b"Doe_Jane/IM1", b"Doe_Jane/1.2.840.113", b"Doe_Jane/x.IMA", b"inner/y.dcm"} < {
            path.read_bytes() for path in files
        }
        assert not [path for path in files if "Doe" in str(path)]
    with pytest.raises(UserError, match="wrong"), opened(packed, confidential=True):
        raise UserError("wrong")
    assert not list((tmp_path / "raw").glob(".tmp*"))


def test_messages_about_confidential_archives_name_no_file_in_them(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "Doe_Jane.zip").write_text("<html>")
    with pytest.raises(UserError, match=r"^archive 1 in .*in cannot be unpacked"), opened(folder, confidential=True):
        pass
    (folder / "Doe_Jane.zip").unlink()
    (folder / "Doe_Jane").symlink_to("gone")
    with pytest.raises(UserError, match=r"in holds a broken link: repair"), opened(folder, confidential=True):
        pass
    with pytest.raises(UserError, match=r"Doe_Jane is a broken link"), opened(folder):
        pass


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_is_not_written_over_another_one(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("x.nii", b"1")
        packed.writestr("x.nii", b"2")
    with pytest.raises(UserError, match=r"a\.zip holds 'x.nii' twice: unpack it by hand"), opened(tmp_path / "a.zip"):
        pass
    with opened(tmp_path / "a.zip", confidential=True) as source:  # where files have numbers for names
        assert sorted(file.read_bytes() for file in source.roots[0].iterdir()) == [b"1", b"2"]
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as packed:
        packed.writestr("X.nii", b"1")
        packed.writestr("x.nii", b"2")
    if sys.platform == "linux":
        with opened(tmp_path / "b.zip") as source:
            assert len(list(source.roots[0].iterdir())) == 2
    # As on the disks of Windows and macOS, where a folder is found by its name in other letters.
    monkeypatch.setattr(archive, "_ignores_case", lambda folder: True)
    line = "b.zip holds 'x.nii' and 'X.nii', which are one file on this disk: unpack it by hand"
    with pytest.raises(UserError, match=line), opened(tmp_path / "b.zip"):
        pass


def test_whether_the_disk_tells_letters_apart(tmp_path):
    (tmp_path / "abc").mkdir()
    assert archive._ignores_case(tmp_path / "abc") == (sys.platform != "linux")
    (tmp_path / "ABC").mkdir(exist_ok=True)
    assert archive._ignores_case(tmp_path / "abc")
