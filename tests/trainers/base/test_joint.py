"""The log and the results folders of a training; a whole one of MASSTrainer: trainers/test_mass_trainer.py."""

import json
from pathlib import Path

import pytest
import torch

from mass_nnunet.data.paths import LATEST_CHECKPOINT
from mass_nnunet.trainers.base.joint import PREFIX
from method_checks import model_folder, trained
from tiny_group import CT, MRI, trainer


@pytest.mark.parametrize(("name", "filled"), [("TCSMTrainer", [CT]), ("MMKDTrainer", [CT, MRI])])
def test_results_folders_of_a_single_and_of_a_group_method(root, name, filled):
    one = trained(name)
    assert [each.plans_manager.dataset_name for each in one.dataset_trainers] == filled
    for dataset in (CT, MRI):
        folder = model_folder(root, dataset, name)
        assert folder.exists() == (dataset in filled)
        if dataset in filled:
            assert json.loads((folder / "plans.json").read_text())["dataset_name"] == dataset
            assert {"checkpoint_final.pth", "progress.png", "mass_terms.png"} <= {
                path.name for path in (folder / "fold_0").iterdir()
            }
            checkpoint = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=False)
            assert checkpoint["trainer_name"] == name
            assert all(len(checkpoint["logging"][PREFIX + term]) == 1 for term in one.TERMS)


def test_the_log_has_the_mean_of_each_term_over_the_steps_of_an_epoch(root):
    one = trainer("MMKDTrainer")
    one.initialize()
    one.epoch_terms = [dict.fromkeys(one.TERMS, torch.tensor(value)) for value in (1.0, 4.0)]
    one.on_train_epoch_end([{"loss": 1.0}, {"loss": 4.0}])
    log = one.logger.get_checkpoint()
    assert {term: log[PREFIX + term] for term in one.TERMS} == {term: [2.5] for term in one.TERMS}
    assert one.epoch_terms == []


def test_all_models_are_at_the_same_point_and_the_first_process_alone_writes_them(root):
    one = trainer("MMKDTrainer")
    one.initialize()
    (partner,) = one.partners
    one.current_epoch, one.local_rank = 1, 1
    one.write_checkpoints(LATEST_CHECKPOINT)
    assert partner.current_epoch == 1
    files = [Path(each.output_folder) / LATEST_CHECKPOINT for each in (one, partner)]
    assert not any(file.exists() for file in files)
    one.local_rank = 0
    one.write_checkpoints(LATEST_CHECKPOINT)
    epochs = [torch.load(file, weights_only=True)["current_epoch"] for file in files]
    assert epochs == [2, 2]  # nnU-Net writes the number of the next one
