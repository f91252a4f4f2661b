"""A training in which an image, a loss or a weight is not finite ends, and no checkpoint keeps it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mass_nnunet.errors import UserError, exit_on_user_error

_BEFORE = "the last checkpoint was written before"


@contextmanager
def only_finite_steps(batch: Mapping[str, Any], epoch: int) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that makes sure that the loss of a step is finite.

    The images are looked at only where the step fails, or its loss is not finite.

    Args:
        batch: ``data`` (S, C, Z, Y, X), and ``keys``, the S scans, if they are known.
        epoch: of the training.

    Raises:
        SystemExit: the loss, or what the step fails by, is NaN or infinite; the one line names the scans.
    """

    def check_loss(loss: np.ndarray) -> None:
        if not np.isfinite(loss).all():
            raise FloatingPointError

    try:
        yield check_loss
    except (FloatingPointError, RuntimeError) as error:
        scans = list(batch.get("keys", ()))
        strange = [scan for scan, image in zip(scans, batch["data"], strict=False) if not torch.isfinite(image).all()]
        with exit_on_user_error():
            if strange:
                raise _refusal(strange[0]) from None
            if isinstance(error, FloatingPointError):
                names = f", in a step with {', '.join(dict.fromkeys(scans))}" if scans else ""
                raise UserError(
                    f"the loss is not finite in epoch {epoch}{names}: check these scans (`mass_nnunet check`), or give "
                    f"the plans a lower learning_rate; {_BEFORE}"
                ) from None
        raise


def check_scan(image: np.ndarray, case: str) -> None:
    """Make sure that all voxels of a scan are finite, before a network sees the whole of it.

    Args:
        image: (C, Z, Y, X).
        case: name of the scan.

    Raises:
        SystemExit: one is NaN or infinite, in one line.
    """
    if not np.isfinite(image).all():
        with exit_on_user_error():
            raise _refusal(case)


def _refusal(case: str) -> UserError:
    return UserError(
        f"{case} holds values that are not finite (NaN or infinity): repair or remove it, and plan again; {_BEFORE}"
    )


def check_weights(weights: Mapping[str, Tensor], epoch: int) -> None:
    """Make sure that all weights of a network are finite, before they are written.

    Raises:
        UserError: one is NaN or infinite.
    """
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(
                f"the weights {name} are not finite in epoch {epoch}, and are not written: give the plans a lower "
                f"learning_rate; {_BEFORE}"
            )
