"""Each method of nnU-Net that we override can be called as the installed nnU-Net calls its own."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from inspect import Parameter

import pytest
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from source_tree import module_name, source_files

THEIRS = ("nnunetv2", "batchgenerators", "batchgeneratorsv2", "dynamic_network_architectures")
ANY = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def overrides() -> Iterator[tuple[str, Callable, Callable]]:
    """Name, our method and nnU-Net's; constructors only of trainers, as nnU-Net constructs nothing else of ours."""
    for file in source_files():
        if "nnunet_hook" in file.parts:
            continue
        module = importlib.import_module(module_name(file))
        for one in vars(module).values():
            if inspect.isclass(one) and one.__module__ == module.__name__:
                yield from _of_class(one)


def _of_class(one: type) -> Iterator[tuple[str, Callable, Callable]]:
    for base in one.__mro__[1:]:
        for name in vars(one).keys() & vars(base).keys():
            constructs = name == "__init__" and not issubclass(one, nnUNetTrainer)
            method = getattr(base, name)
            if base.__module__.split(".")[0] in THEIRS and inspect.isfunction(method) and not constructs:
                yield f"{one.__module__}.{one.__name__}.{name}", getattr(one, name), method


def misfits(ours: Callable, theirs: Callable) -> list[str]:
    """Parameters of nnU-Net's method that ours does not take in the same place, or not by the same name."""
    taken = [one for one in inspect.signature(ours).parameters.values() if one.name != "self"]
    needed = [one for one in inspect.signature(theirs).parameters.values() if one.name != "self"]
    wrong = []
    for number, one in enumerate(needed):
        if number >= len(taken) or taken[number].kind in ANY:
            if not any(other.kind in ANY for other in taken):
                wrong.append(f"{one.name} is not taken")
        elif taken[number].kind is not Parameter.POSITIONAL_ONLY and taken[number].name != one.name:
            wrong.append(f"{one.name} is named {taken[number].name}")
    more = [one.name for one in taken[len(needed) :] if one.default is Parameter.empty and one.kind not in ANY]
    return wrong + [f"{name} is not given" for name in more]


def test_overridden_methods_can_be_called_as_nnunet_calls_its_own():
    found = list(overrides())
    assert len(found) > 50
    wrong = {name: misfits(ours, theirs) for name, ours, theirs in found}
    assert {name: lines for name, lines in wrong.items() if lines} == {}


@pytest.mark.parametrize(
    ("ours", "wrong"),
    [
        (lambda self, batch, scale=1: None, []),
        (lambda *args, **kwargs: None, []),
        (lambda self, other, /, scale=1: None, []),
        (lambda self, batch, scale, more=0: None, []),
        (lambda self, batch: None, ["scale is not taken"]),
        (lambda self, data, scale: None, ["batch is named data"]),
        (lambda self, batch, scale, more: None, ["more is not given"]),
    ],
)
def test_a_changed_parameter_is_found(ours, wrong):
    def theirs(self, batch, scale=1):
        raise NotImplementedError

    assert misfits(ours, theirs) == wrong
