"""SupervisedTrainer: stock nnU-Net on the same annotated cases."""

from mass_nnunet.errors import UserError, exit_on_user_error
from mass_nnunet.trainers.base.schedule import ScheduledTrainer


class SupervisedTrainer(ScheduledTrainer):
    """nnU-Net's own trainer in all but the schedule, which the plans give.

    It trains one dataset, from the ``train`` cases of the fold alone: what MASSTrainer has to beat.
    """

    def do_split(self) -> tuple[list[str], list[str]]:
        """nnU-Net's training and validation cases.

        Raises:
            SystemExit: there is no training case, in one line.
        """
        training, validation = super().do_split()
        with exit_on_user_error():
            if not training:
                raise UserError(
                    f"fold {self.fold} of {self.plans_manager.dataset_name} has no annotated training scan: train "
                    "MASSTrainer, which learns it from other modalities"
                )
        return training, validation

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """As in nnU-Net; it ends in one line where another training is writing into the results folder."""
        with self.alone():
            super().perform_actual_validation(save_probabilities)
