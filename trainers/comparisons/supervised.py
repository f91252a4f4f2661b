"""The comparison: stock nnU-Net on the same labelled cases."""

from mass_nnunet.trainers.base.schedule import ScheduledTrainer


class SupervisedTrainer(ScheduledTrainer):
    """nnU-Net's own trainer in all but the schedule, which the plans give.

    It trains one dataset, from the ``train`` cases of the fold alone: what MASSTrainer has to beat.
    """
