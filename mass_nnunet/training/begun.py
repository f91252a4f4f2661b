"""What a training was begun with: its plans, its split, and the scans as they were preprocessed.

It stands in each checkpoint of a training, and in the record of a benchmark's cell, as digests or settings: no scan is
named. A training that would go on with something else is refused.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mass_nnunet.data.files import digest
from mass_nnunet.data.group_plans import HYPERPARAMETERS, OF_A_GROUP, check_form
from mass_nnunet.data.splits import Fold
from mass_nnunet.errors import UserError
from mass_nnunet.hyperparameters import Hyperparameters, complete
from mass_nnunet.runtime.checkpoint import read_checkpoint

from .loaders import label_file, outside_folder

KEY = "mass_begun"
"""Its key in a checkpoint."""
_EARLIER = {"organ_contrast_in_ct": True}
"""What an older version did where it did not have a hyperparameter, unless that is the default now."""
_REMEDY = "train without --c to begin anew"
_ID = len("Dataset801")
_NAMED, _LONGEST = 3, 60  # differences that a message names, and characters of each value
_MAY_CHANGE = ("epochs", "validation_iterations")
"""Settings under ``mass`` that a training may go on with when they have changed: it is trained for longer."""


def planned(plans: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The plans that a training uses: with the method's hyperparameters, and without the inference, which it does not.

    Numbers have five digits: further digits of a mean depend on the number of threads.

    Args:
        plans: content of the plans.
        changes: hyperparameters that the method fixes.
    """
    mass = plans["mass"] | {"hyperparameters": complete(plans["mass"]["hyperparameters"], changes).as_plans()}
    mass.pop("inference", None)
    return _rounded({**plans, "mass": mass})


def scans_digest(arrays: Sequence[Path]) -> str:
    """A digest of preprocessed scans, which are known by their names and sizes."""
    return digest([(file.name, file.stat().st_size) for file in arrays if file.is_file()])


def outside_maps(preprocessed: Path, fold: Fold) -> dict[str, Any]:
    """Number and digest of the label maps of another tool for a fold's unlabelled scans, as an entry ``outside``.

    Args:
        preprocessed: nnU-Net's folder of preprocessed scans, ``<data_identifier>``.
        fold: of the dataset's splits.

    Returns:
        An empty dictionary where there are none, so that such records equal those of older versions.
    """
    files = [label_file(outside_folder(preprocessed), case) for case in fold.unlabelled]
    found = [(file.name, file.stat().st_size) for file in files if file.is_file()]
    return {"outside": {"maps": len(found), "digest": digest(found)}} if found else {}


def begun_with(
    plans: Mapping[str, Any],
    changes: Mapping[str, Any],
    fold: Fold | None,
    arrays: Sequence[Path],
    outside: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a training was begun with, of one dataset.

    Args:
        plans: content of the plans.
        changes: hyperparameters that the method fixes.
        fold: of the dataset's splits; None if it is not known.
        arrays: preprocessed scans (:func:`scans_digest`).
        outside: of :func:`outside_maps`, for a training that reads them.
    """
    content = planned(plans, changes)
    for key in ("dataset_name", "continue_training"):
        content.pop(key, None)
    for key in _MAY_CHANGE:
        content["mass"].pop(key, None)
    for modality in content["mass"]["modalities"]:
        modality["dataset"] = modality["dataset"][:_ID]  # a dataset may be renamed
    begun: dict[str, Any] = {"plans": content}
    if fold is not None:
        begun["split"] = {
            key: digest(value) if isinstance(value, list | dict) else value for key, value in fold.as_entry().items()
        }
        begun["scans"] = scans_digest(arrays)
        begun |= outside or {}
    return begun


def dataset_key(name: str) -> str:
    """The key of a dataset among those of a training: ``Dataset801``, as it may be renamed."""
    return name[:_ID]


def check_goes_on(
    checkpoint: Path, now: Mapping[str, Any], changes: Mapping[str, Any], *, only_validates: bool = False
) -> None:
    """Make sure that the training of a checkpoint was begun with what it would go on with.

    A checkpoint of an older version is known by the plans of its own dataset.

    Args:
        checkpoint: file of the checkpoint.
        now: :func:`begun_with` of each dataset, by :func:`dataset_key`.
        changes: hyperparameters that the method fixes.
        only_validates: whether the model is validated and not trained on. Then the plans and the scans to validate on
            must be those of the training, which has never seen these scans; all other scans do not matter. A model of
            another version of its method is validated with a note.

    Raises:
        UserError: it was begun with something else, or the file is damaged.
    """
    content = read_checkpoint(checkpoint)
    before = content.get(KEY)
    if before is None and isinstance(content.get("init_args"), dict):
        plans = content["init_args"].get("plans")
        check_form(checkpoint, plans, _REMEDY, ("dataset_name", HYPERPARAMETERS, *OF_A_GROUP))
        before = {dataset_key(plans["dataset_name"]): begun_with(_with_defaults(plans), changes, None, [])}
    if not isinstance(before, dict) or not all(map(_is_record, before.values())):
        raise UserError(f"{checkpoint} does not say what its training was begun with: {_REMEDY}")
    if found := list(_all_differences(before, now, only_validates)):
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise UserError(
            f"{checkpoint} was begun with something else, {'; '.join(found[:_NAMED])}{more}: "
            f"{'' if only_validates else f'{_REMEDY}, or '}restore what it was begun with"
        )
    if only_validates and any(_of_another_version(before[name], now[name]) for name in before.keys() & now.keys()):
        print(
            f"note: {checkpoint} was trained by an earlier or later version of its method, and its scores cannot be "
            "compared with those of this version: train it again to compare them",
            file=sys.stderr,
        )


def _all_differences(before: Mapping[str, Any], now: Mapping[str, Any], only_validates: bool) -> Iterator[str]:
    for name in sorted(before.keys() & now.keys()):  # a partner that is gone is missed in the plans of the others
        old, new = before[name], now[name]
        for key, was, is_now in differences(_with_defaults(old["plans"]), new["plans"]):
            yield f"{key} {was} instead of {is_now} in the plans of {name}"
        if "split" in old and old["split"] != new["split"]:
            keys = ["val"] if only_validates else dict.fromkeys([*old["split"], *new["split"]])
            parts = " ".join(key for key in keys if old["split"].get(key) != new["split"].get(key))
            if parts:
                yield f"another split of {name} ({parts})"
        if only_validates:
            continue
        if _of_another_version(old, new):
            yield "an earlier or later version of the method"
        if "outside" in old and old["outside"] != new.get("outside"):
            yield f"other labels of another tool for {name}"
        if "scans" in old and old["scans"] != new["scans"]:
            yield f"other preprocessed scans of {name}"


def _of_another_version(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two records of a dataset are of different revisions of the method, which a trainer adds to them."""
    return old.get("revision", 1) != new.get("revision", 1)


def _is_record(value: Any) -> bool:
    """Whether a value is of :func:`begun_with`."""
    if not isinstance(value, dict) or not isinstance(value.get("split", {}), dict):
        return False
    mass = value["plans"].get("mass") if isinstance(value.get("plans"), dict) else None
    given = mass.get("hyperparameters") if isinstance(mass, dict) else None
    return isinstance(given, dict) and isinstance(given.get("weights", {}), dict)


def _with_defaults(plans: Mapping[str, Any]) -> dict[str, Any]:
    """The same plans with the values of hyperparameters that an older version did not have."""
    defaults, given = Hyperparameters().as_plans() | _EARLIER, plans["mass"]["hyperparameters"]
    its = {**defaults, **given, "weights": {**defaults["weights"], **given.get("weights", {})}}
    return _rounded({**plans, "mass": {**plans["mass"], "hyperparameters": its}})


def differences(before: Any, now: Any, key: str = "") -> Iterator[tuple[str, str, str]]:
    """Key, former and present value of each setting in which two contents of JSON differ; the key is the last one."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted(before.keys() | now.keys()):
            yield from differences(before.get(name), now.get(name), name)
    elif before != now:
        yield key, _short(before), _short(now)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _rounded(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    return float(f"{content:.5g}") if isinstance(content, float) else content
