import json

import pytest

from mass_nnunet.dataset_conversion.dicom.identity import Identity
from mass_nnunet.dataset_conversion.dicom.pseudonyms import Pseudonyms, known_series, write_key
from mass_nnunet.errors import UserError

PEOPLE = [Identity(str(number), f"Name{number}^A", "19640812", f"s{number}") for number in range(4)]


@pytest.fixture(autouse=True)
def raw(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    (tmp_path / "raw").mkdir()


def test_pseudonyms_do_not_follow_names_and_are_the_same_every_time():
    found = Pseudonyms(PEOPLE)
    names = [found[one] for one in PEOPLE]
    assert sorted(names) == ["p001", "p002", "p003", "p004"] != names
    again = Pseudonyms(PEOPLE[::-1])
    assert [again[one] for one in PEOPLE] == names


def test_a_key_file_keeps_pseudonyms_and_scans(tmp_path):
    key = tmp_path / "key.json"
    first = Pseudonyms(PEOPLE[:2], key)
    write_key(key, first, {"p001_t1_s1": {"series": "1.2"}})
    second = Pseudonyms(PEOPLE, key)
    assert [second[one] for one in PEOPLE[:2]] == [first[one] for one in PEOPLE[:2]]
    assert {second[one] for one in PEOPLE[2:]} == {"p003", "p004"}
    write_key(key, second, {"p003_t1_s1": {"series": "1.3"}})
    assert known_series(key) == {"p001_t1_s1": "1.2", "p003_t1_s1": "1.3"}


def test_bad_key_files(tmp_path):
    inside, other, absent = tmp_path / "raw/key.json", tmp_path / "other.json", tmp_path / "absent.json"
    with pytest.raises(UserError, match=r"--key .* lies among the datasets in .*raw: keep it apart"):
        Pseudonyms(PEOPLE, inside)
    other.write_text(json.dumps(["a list"]))
    for use in (lambda: Pseudonyms(PEOPLE, other), lambda: known_series(other)):
        with pytest.raises(UserError, match=r"other.json is no key file of"):
            use()
    with pytest.raises(UserError, match=r"absent.json does not exist"):
        known_series(absent)
