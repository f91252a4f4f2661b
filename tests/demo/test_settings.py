from dataclasses import asdict, replace

import numpy as np
import pytest

from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.sampled_folds import make_folds
from mass_nnunet.dataset_conversion.parts import choose_test_patients
from mass_nnunet.demo.settings import TINY, Settings
from tiny_raw import write_raw_dataset

BOTH = pytest.mark.parametrize("settings", [Settings(), TINY], ids=["default", "tiny"])


@BOTH
def test_patches_are_parts_of_a_scan(settings):
    assert np.all(np.less(settings.patch_size, settings.size))


@BOTH
def test_training_has_annotated_scans_and_others_with_hidden_labels(settings, tmp_path):
    scans = {f"ct{number:02}" for number in range(settings.labelled_per_modality)}
    training = sorted(scans - choose_test_patients(scans, 0.2, 0))  # 0.2 is the default of `mass_nnunet convert`
    folder = write_raw_dataset(tmp_path, "Dataset801_CTS", "CT", training, shape=(2, 4, 4))
    (fold,) = make_folds(RawDataset.read(folder), [settings.label_rate], 1, 0.2)
    assert fold.train and fold.val and fold.unlabelled


def test_the_tiny_demo_is_smaller_in_all_that_takes_time():
    tiny, usual = asdict(TINY), asdict(replace(Settings(), seed=TINY.seed))
    larger = [name for name, value in tiny.items() if np.any(np.greater(value, usual[name]))]
    assert larger == ["label_rate"]
