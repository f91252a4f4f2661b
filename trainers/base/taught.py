"""What a trainer needs in addition where a mean teacher teaches its network."""

from typing import Any

import torch

from mass_nnunet.data.paths import LATEST_CHECKPOINT
from mass_nnunet.training.teacher import Teacher

from .group import GroupTrainer

KEY = "mass_teacher"


class TaughtTrainer(GroupTrainer):
    """A method with a mean teacher, which goes on with the training that it belongs to."""

    teacher: Teacher | None = None
    """The mean teacher, where there is one."""

    _earlier: dict[str, Any] | None = None
    """State of the teacher of the checkpoint that was loaded last, if it has one."""

    def appoint(self, teacher: Teacher) -> None:
        """Set the teacher, a copy of the network; if the loaded checkpoint has a teacher, its weights are restored."""
        if self._earlier is not None:
            teacher.restore(self._earlier)
            self._earlier = None
        self.teacher = teacher

    def train_step(self, batch: dict) -> dict:
        """As in :class:`GroupTrainer`, then the teacher's update."""
        result = super().train_step(batch)
        if self.teacher is not None:
            self.teacher.update(self.module)
        return result

    def state_besides(self, checkpoint: str) -> dict[str, Any]:
        """The teacher's state, in the checkpoint from which a training is resumed; a finished model carries none."""
        besides = super().state_besides(checkpoint)
        if self.teacher is not None and checkpoint == LATEST_CHECKPOINT:
            besides[KEY] = self.teacher.state()
        return besides

    def load_checkpoint(self, file: str, /) -> None:
        """As in nnU-Net; the state of the checkpoint's teacher, if it has one, is kept for :meth:`appoint`."""
        super().load_checkpoint(file)
        # A second time, mapped and not read whole: nnU-Net fails on a checkpoint that was loaded for it.
        checkpoint = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        self._earlier = checkpoint.get(KEY)
