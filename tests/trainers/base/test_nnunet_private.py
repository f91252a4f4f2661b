"""The private parts of nnU-Net behave as we use them: look at these tests first if nnU-Net changes."""

import numpy as np
import pytest
from nnunetv2.training.logging.nnunet_logger import LocalLogger

from mass_nnunet.trainers.base.nnunet_private import (
    deep_supervision_scales,
    log_also,
    share_progress,
    use_plain_best_dice,
)
from tiny_group import trainer

pytestmark = pytest.mark.usefixtures("root")


def test_the_log_takes_another_key_once_it_is_named():
    one = trainer("SupervisedTrainer")
    assert isinstance(one.logger.local_logger, LocalLogger)
    with pytest.raises(AssertionError):
        one.logger.log("mass_new", 0.5, 0)
    log_also(one, ["mass_new"])
    one.logger.log("mass_new", 0.5, 0)
    log_also(one, ["mass_new"])  # what is logged stays
    assert one.logger.get_checkpoint()["mass_new"] == [0.5]


def test_epoch_and_best_dice_are_shared_as_plain_numbers():
    source, target = trainer("SupervisedTrainer"), trainer("SupervisedTrainer")
    use_plain_best_dice(source)
    assert source._best_ema is None
    source.current_epoch, source._best_ema = 7, np.float64(0.25)
    use_plain_best_dice(source)
    share_progress(source, target)
    assert target.current_epoch == 7
    assert (type(target._best_ema), target._best_ema) == (float, 0.25)


def test_scales_are_those_of_the_networks_outputs():
    one = trainer("SupervisedTrainer")
    one.initialize()
    assert np.array_equal(deep_supervision_scales(one), [[1, 1, 1], [1, 0.5, 0.5]])
