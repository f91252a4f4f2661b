"""Plans of strangers: nnU-Net imports every class that they name, so the names are checked before."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mass_nnunet.errors import UserError, shortened

NETWORKS = re.compile(r"dynamic_network_architectures\.architectures\.\w+\.[A-Z]\w*")
"""Networks that plans may name: nnU-Net's own."""
PARTS = re.compile(
    r"torch\.nn\.(modules\.\w+\.)?[A-Z]\w*|dynamic_network_architectures\.building_blocks\.\w+\.[A-Z]\w*"
)
"""Classes of the network's parts that plans may name: layers of torch, and blocks of nnU-Net's networks."""
REMEDY = "get the model as `mass_nnunet export` writes it"
"""What to do where a model's files have another form."""


def _mapping(file: Path, key: str, content: Any) -> Mapping[str, Any]:
    """The entries below a key, if there are some."""
    found = content.get(key, {}) if isinstance(content, Mapping) else None
    if not isinstance(found, Mapping):
        raise UserError(f"{file} has {key} of another form: {REMEDY}")
    return found


def check_classes(file: Path, plans: Mapping[str, Any]) -> None:
    """Make sure that plans name classes of nnU-Net's networks and of torch's layers only.

    Args:
        file: the plans, for the message.
        plans: their content.

    Raises:
        UserError: they name another class.
    """
    for name, configuration in _mapping(file, "configurations", plans).items():
        architecture = _mapping(file, "architecture", configuration)
        arguments = _mapping(file, "arch_kwargs", architecture)
        imported = architecture.get("_kw_requires_import", ())
        if not isinstance(imported, list | tuple) or not all(isinstance(key, str) for key in imported):
            raise UserError(f"{file}, {name}, has _kw_requires_import of another form: {REMEDY}")
        named = [(NETWORKS, architecture.get("network_class_name"))]
        named += [(PARTS, arguments.get(key)) for key in imported]
        for allowed, wanted in named:
            if wanted is not None and not (isinstance(wanted, str) and allowed.fullmatch(wanted)):
                raise UserError(
                    f"{file}, {name}, names the class {shortened(wanted)}, which is none of nnU-Net's networks or of "
                    f"torch's layers, and importing it could run code: {REMEDY}"
                )
