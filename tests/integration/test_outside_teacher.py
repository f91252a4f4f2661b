"""Labels of another tool, from raw scans to trained weights: they teach, and hidden labels beside them do not."""

import shutil

import blosc2
import numpy as np

from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.outside import PSEUDO
from mass_nnunet.training.loaders import label_file, outside_folder
from scarce_group import SHORT, cases, garble_hidden_labels, same_weights, trained, without_results
from tiny_group import CT, plan_group
from tiny_raw import write_raw_dataset


def test_they_change_the_weights_and_hidden_labels_do_not(tmp_path):
    given = [f"ctun{number}" for number in range(3)]
    raw = write_raw_dataset(tmp_path / "raw", CT, "CT", cases("ct"), given)
    (raw / PSEUDO).mkdir()
    for case in given:
        shutil.copy(raw / "labelsTr" / "ct0.nii.gz", raw / PSEUDO / f"{case}.nii.gz")
    plan_group(tmp_path, ["801"], ["--label-rates", "0.75"], SHORT)
    plans = tmp_path / "preprocessed" / CT / "MASSPlans.json"
    content = read_json(plans, "")
    # Two of four steps follow the ramp: each has an unlabelled scan, and is taught at every voxel.
    content["mass"]["hyperparameters"] |= {"confidence": 0, "unlabelled_every": 1}
    write_json(plans, content)
    before = trained(tmp_path, "801")

    without_results(tmp_path)
    assert garble_hidden_labels(tmp_path, CT) == 4 + 3 * 2  # of a scan of imagesTr, and of three of imagesUn
    assert same_weights(before, trained(tmp_path, "801"))

    without_results(tmp_path)
    (arrays,) = (tmp_path / "preprocessed" / CT).glob("MASSPlans_*d_fullres")
    for case in given:
        file = label_file(outside_folder(arrays), case)
        empty = np.zeros_like(blosc2.open(urlpath=str(file), mode="r")[:])
        blosc2.asarray(empty, urlpath=str(file), mode="w")
    assert not same_weights(before, trained(tmp_path, "801"))
