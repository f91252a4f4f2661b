from mass_nnunet.phantom.folder import SETTINGS_JSON, is_phantom


def test_the_folder_of_a_phantom_and_its_two_trees(tmp_path):
    (tmp_path / "out/BTCV/RawData").mkdir(parents=True)
    assert not is_phantom(tmp_path / "out/BTCV")
    (tmp_path / "out" / SETTINGS_JSON).write_text("{}")
    assert is_phantom(tmp_path / "out") and is_phantom(tmp_path / "out/BTCV")
    assert not is_phantom(tmp_path / "out/BTCV/RawData") and not is_phantom(tmp_path)


def test_real_scans_beside_a_phantom_keep_their_licence(tmp_path):
    (tmp_path / SETTINGS_JSON).write_text("{}")
    (tmp_path / "RawData").mkdir()
    assert is_phantom(tmp_path / "BTCV.zip") and is_phantom(tmp_path / "CHAOS")
    assert not is_phantom(tmp_path / "RawData") and not is_phantom(tmp_path / "RawData.zip")
