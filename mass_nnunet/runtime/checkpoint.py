"""Reading of checkpoints without running code that a stranger may have put into them."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mass_nnunet.errors import UserError

# nnU-Net's own trainers log NumPy's numbers, which torch does not know as harmless.
_KINDS = (np.bool_, np.int32, np.int64, np.float16, np.float32, np.float64)
_SCALAR = np.float64(0).__reduce__()[0]
_NUMBERS: list[Any] = [
    np.dtype,
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),  # its name where NumPy 1 wrote the file
    *(type(np.dtype(kind)) for kind in _KINDS),
]


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU, if it holds tensors, numbers and texts only; its tensors stay on disk.

    Raises:
        UserError: it is damaged, or holds objects that could run code when they are read.
    """
    try:
        with torch.serialization.safe_globals(_NUMBERS):
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        found = str(error).split("Unsupported global: GLOBAL ")[1:]
        what = found[0].split()[0] if found else "other objects"
        raise UserError(
            f"{file} holds {what}, not only weights and numbers, and could run code when it is read: get the model as "
            "`mass_nnunet export` writes it"
        ) from None
    except OSError:
        raise
    except Exception as error:  # whatever a reader of damaged bytes may meet
        reason = str(error).splitlines()[0] if str(error) else "it is empty"
        raise UserError(f"{file} cannot be read ({reason}): copy it again, or train again") from None
    if not isinstance(content, dict):
        raise UserError(f"{file} is no checkpoint of a training: copy it again, or train again")
    return content
