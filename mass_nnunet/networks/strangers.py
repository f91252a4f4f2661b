"""Models of strangers: nothing in them is executed that should only be read.

nnU-Net unpickles a checkpoint as it is, and imports whatever class its plans name. So both are looked at before.
"""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mass_nnunet.errors import UserError

NETWORKS = re.compile(r"dynamic_network_architectures\.architectures\.\w+\.\w+")
"""Networks that plans may name: nnU-Net's own."""
PARTS = re.compile(
    r"torch\.nn\.(modules\.\w+\.)?[A-Z]\w*|dynamic_network_architectures\.building_blocks\.\w+\.[A-Z]\w*"
)
"""Classes of the network's parts that plans may name: layers of torch, and blocks of nnU-Net's networks."""
_NUMPY = [np.float64(0).__reduce__()[0], np.dtype, *(type(np.dtype(kind)) for kind in ("f8", "f4", "i8", "i4"))]
"""What numbers of NumPy are made of, which stock nnU-Net has in its log."""


def check_model(folder: Path, plans: Mapping[str, Any], checkpoint: Path) -> None:
    """Make sure that a model can be loaded without executing code of whoever made it.

    Args:
        folder: folder of the trained model, for the message.
        plans: content of its plans.json.
        checkpoint: file of the checkpoint.

    Raises:
        UserError: the plans name a class that is not allowed, or the checkpoint is damaged or is more than tensors and
            plain values.
    """
    for name, configuration in plans.get("configurations", {}).items():
        check_architecture(configuration.get("architecture", {}), f"{folder / 'plans.json'}, {name},")
    try:
        with torch.serialization.safe_globals(_NUMPY):
            torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        raise UserError(
            f"{checkpoint} holds more than tensors and plain values{f' ({found[1]})' if found else ''}, and loading it "
            "could execute code: if you trust who made it, use it with nnU-Net's own commands"
        ) from None
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise UserError(f"{checkpoint} is damaged ({str(error).strip().splitlines()[0]}): copy it again") from None


def check_architecture(architecture: Mapping[str, Any], where: str) -> None:
    """Make sure that a network's description in the plans names classes of nnU-Net's networks and of torch only.

    Args:
        architecture: ``architecture`` of a configuration.
        where: the file, for the message.

    Raises:
        UserError: it names another one.
    """
    arguments = architecture.get("arch_kwargs", {})
    named = [(NETWORKS, architecture.get("network_class_name"))]
    named += [(PARTS, arguments.get(key)) for key in architecture.get("_kw_requires_import", ())]
    for allowed, name in named:
        if name is not None and not (isinstance(name, str) and allowed.fullmatch(name)):
            raise UserError(
                f"{where} names the class {name}, which is none of nnU-Net's networks or of torch's layers, and "
                "loading it could execute code: if you trust who made it, use it with nnU-Net's own commands"
            )
