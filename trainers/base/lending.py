"""Datasets without an annotated training scan borrow those of another one; a lonely modality may be refused."""

from collections.abc import Sequence

from mass_nnunet.errors import UserError

from .dataset import DatasetTrainer


def lend_annotated_scans(trainers: Sequence[DatasetTrainer]) -> None:
    """Let each dataset without annotated training scans in the fold borrow those of the first dataset that has some.

    The lent scans train the network of the borrowing modality in place of its own annotated scans, and are its atlases.
    They must have as many channels as its own scans.

    Args:
        trainers: of the datasets that are trained together, in the network's order.

    Raises:
        UserError: none of the datasets has an annotated training scan, or none with as many channels as one without.
    """
    lenders = [trainer for trainer in trainers if trainer.fold_cases().train]
    if not lenders:
        names = " and ".join(trainer.plans_manager.dataset_name for trainer in trainers)
        remedy = "add annotated scans to one of them and split the group again"
        if not trainers[0].trains_group:
            remedy = "only a method that trains the whole group, such as MASSTrainer, learns it from other modalities"
        raise UserError(f"fold {trainers[0].fold} of {names} has no annotated training scan: {remedy}")
    for trainer in trainers:
        trainer.lender = None if trainer.fold_cases().train else _lender(trainer, lenders)


def _lender(borrower: DatasetTrainer, lenders: Sequence[DatasetTrainer]) -> DatasetTrainer:
    channels = borrower.channels
    for lender in lenders:
        if lender.channels == channels:
            return lender
    raise UserError(
        f"fold {borrower.fold} of {borrower.plans_manager.dataset_name} has no annotated training scan, and cannot use "
        f"those of {' or '.join(lender.plans_manager.dataset_name for lender in lenders)}: its scans have "
        f"{channels} channels and theirs {lenders[0].channels}; annotate one, or make datasets of as many channels"
    )


def refuse_lonely_modality(trainers: Sequence[DatasetTrainer]) -> None:
    """Make sure that a method that compares modalities has two of them.

    Raises:
        UserError: there is one.
    """
    if len(trainers) == 1:
        raise UserError(
            f"{type(trainers[0]).__name__} compares modalities, and {trainers[0].plans_manager.dataset_name} is the "
            "only one in its plans: plan two datasets or more together, or use MASSTrainer with the weights "
            "semantic and anatomical 0 and no inter_modal_similarity, as it has them by default"
        )
