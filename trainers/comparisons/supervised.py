"""The comparison: stock nnU-Net on the same labelled cases."""

from mass_nnunet.trainers.base.schedule import ScheduledTrainer


class SupervisedTrainer(ScheduledTrainer):
    """nnU-Net's own trainer in all but the schedule, which the plans give.

    It trains one dataset, from the ``train`` cases of the fold alone: what MASSTrainer has to beat.
    """

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """As in nnU-Net, where no other training is writing into the results folder; it ends in one line else."""
        with self.alone():
            super().perform_actual_validation(save_probabilities)
