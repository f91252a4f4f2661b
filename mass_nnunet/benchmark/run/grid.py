"""The grid of a comparison, read from YAML: datasets, methods, label rates and seeds."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from mass_nnunet.data.files import atomic_path
from mass_nnunet.errors import UserError, shortened
from mass_nnunet.hyperparameters import INFERENCES

from .entries import External, Method, check_unique, read_external, read_methods

DEVICES = ("cuda", "cpu", "mps")
GRID_FILE = "last_grid.yaml"
"""File with the grid of the last ``run``, in the output folder, where the user may have a ``grid.yaml``."""
_MOST_BRACKETS = 200
"""PyYAML's time grows with the square of the depth of brackets, and a grid has a list for each of its keys."""


@dataclass(frozen=True)
class Cell:
    """One method at one label rate with one seed, on all datasets of the grid."""

    method: str
    label_rate: float
    seed: int

    @property
    def name(self) -> str:
        """Name of the cell's folder."""
        return f"{self.method}_{self.label_rate:g}_{self.seed}"

    @property
    def title(self) -> str:
        """The cell in words, for messages and pages."""
        return f"{self.method}, {100 * self.label_rate:g} % of the labels, seed {self.seed}"


@dataclass(frozen=True)
class Grid:
    """Content of the YAML file; its names of datasets, trainers and plans are not checked yet."""

    datasets: tuple[int, ...]
    methods: tuple[str, ...]
    """Names of the methods: those of trainers, and the names of ``variants``."""
    label_rates: tuple[float, ...]
    seeds: tuple[int, ...]
    output: Path
    """Absolute path of the output folder; in the file it is relative to the file's folder."""
    plans: str = "MASSPlans"
    configuration: str = "3d_fullres"
    device: str = "cuda"
    inference: tuple[str, ...] = ("segmentation",)
    """Inferences to predict by. A network uses those that it offers, or ``segmentation`` if it offers none of them."""
    note: str = ""
    """First sentence of the report, such as the origin of the data."""
    external: tuple[External, ...] = ()
    """Predictions of other tools, which are scored beside the methods."""

    variants: tuple[Method, ...] = ()
    """Methods with a name, plans or a configuration of their own. In the file they stand among the methods."""

    def method(self, name: str) -> Method:
        """The method of a name."""
        plain = Method(name, name, self.plans, self.configuration)
        return next((variant for variant in self.variants if variant.name == name), plain)

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of all that is compared: the methods, then the other tools."""
        return (*self.methods, *(external.name for external in self.external))

    @property
    def models(self) -> Path:
        """nnUNet_results of the grid's trainings, used by no other training."""
        return self.output / "models"

    def models_of(self, name: str) -> Path:
        """nnUNet_results of a method: two variants of one trainer would write into one folder there."""
        return self.output / "models_of" / name if any(name == one.name for one in self.variants) else self.models

    @property
    def cells(self) -> list[Cell]:
        """All cells, seed by seed, so that an early stop leaves complete comparisons.

        Those of other tools come first: what is wrong with their files is then known before the first training.
        """
        others = [external.name for external in self.external]
        return [
            Cell(name, rate, seed)
            for names in (others, self.methods)
            for seed, rate, name in product(self.seeds, self.label_rates, names)
        ]


def load_grid(path: Path) -> Grid:
    """Read a grid from its file, or from an output folder where :func:`save_grid` wrote it.

    Raises:
        UserError: the file is absent or not YAML, has an unknown key, lacks a key, or has an invalid value.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / GRID_FILE).exists():
            raise UserError(f"{path} is a folder in which no grid was run: name the YAML file of the grid")
        path = path / GRID_FILE
    content = _read(path)
    known = [field.name for field in fields(Grid) if field.name != "variants"]
    if unknown := [str(key) for key in content if key not in known]:
        raise UserError(f"{path}: unknown key {shortened(unknown[0])}: the keys are {', '.join(known)}")
    needed = [field.name for field in fields(Grid) if field.default is MISSING]
    if absent := [key for key in needed if key not in content]:
        raise UserError(f"{path}: {absent[0]} is missing, as in `{absent[0]}: {_EXAMPLES[absent[0]]}`")
    for key, fits in _RULES.items():
        if key in content:
            _check_list(path, key, content[key], fits)
    for key in ("output", "plans", "configuration", "device", "note"):
        if not isinstance(content.get(key, ""), str):
            raise UserError(f"{path}: {key} is {shortened(content[key])}: give text, as in `{key}: {_EXAMPLES[key]}`")
    if content.get("device", "cpu") not in DEVICES:
        raise UserError(f"{path}: device {shortened(content['device'])} is none of {', '.join(DEVICES)}")
    values: dict[str, Any] = {key: tuple(value) if key in _RULES else value for key, value in content.items()}
    values["label_rates"] = tuple(float(rate) for rate in content["label_rates"])
    try:
        values["output"] = (path.resolve().parent / Path(content["output"]).expanduser()).resolve()
    except (ValueError, RuntimeError):  # a zero byte, a user that does not exist, links in a circle
        raise UserError(f"{path}: output is {shortened(content['output'])}, which is no path: name a folder") from None
    methods = read_methods(
        path, content["methods"], values.get("plans", Grid.plans), values.get("configuration", Grid.configuration)
    )
    values["methods"] = tuple(one if isinstance(one, str) else one.name for one in methods)
    values["variants"] = tuple(one for one in methods if not isinstance(one, str))
    values["external"] = read_external(path, content.get("external", {}))
    check_unique(path, [*values["methods"], *(external.name for external in values["external"])])
    return Grid(**values)


def save_grid(grid: Grid) -> None:
    """Write the grid into its output folder, for later commands on that folder."""
    with atomic_path(grid.output / GRID_FILE) as temporary:
        temporary.write_text(to_yaml(grid, "."), encoding="utf-8")


def to_yaml(grid: Grid, output: str) -> str:
    """The YAML text of a grid; ``output`` is the output folder, relative to the folder of the file."""
    content = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(grid).items()}
    variants = {variant.name: variant.as_yaml() for variant in grid.variants}
    content["methods"] = [variants.get(name, name) for name in grid.methods]
    del content["variants"]
    if grid.external:
        content["external"] = {external.name: external.as_yaml() for external in grid.external}
    else:
        del content["external"]
    return yaml.safe_dump(content | {"output": output}, sort_keys=False, default_flow_style=None, allow_unicode=True)


_EXAMPLES = {
    "datasets": "[801, 802]",
    "methods": "[SupervisedTrainer, MASSTrainer]",
    "label_rates": "[0.1, 0.5]",
    "seeds": "[0, 1, 2]",
    "output": "benchmark",
    "plans": "MASSPlans",
    "configuration": "3d_fullres",
    "device": "cuda",
    "inference": f"[{', '.join(INFERENCES)}]",
    "note": "Synthetic phantoms, not patients.",
}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32  # as NumPy's seeds


_RULES: dict[str, Callable[[Any], bool]] = {
    "datasets": _is_whole,
    "methods": lambda value: isinstance(value, str | dict),
    "label_rates": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1,
    "seeds": _is_whole,
    "inference": lambda value: value in INFERENCES,
}


def _read(path: Path) -> dict[Any, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: name the YAML file of the grid") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not valid YAML (it is not UTF-8 text): correct it") from None
    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        raise UserError(f"{path} is not valid YAML of a grid (it has more than {_MOST_BRACKETS} brackets): correct it")
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        # PyYAML lets through what its constructors of numbers, dates and binaries raise.
        where = " ".join(str(error).split())
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
            where = f"line {error.problem_mark.line + 1}: {error.problem}"
        raise UserError(f"{path} is not valid YAML ({where}): correct it") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} has no keys: it needs lines such as `datasets: {_EXAMPLES['datasets']}`")
    return content


def _check_list(path: Path, key: str, values: object, fits: Callable[[Any], bool]) -> None:
    example = f"give a list, as in `{key}: {_EXAMPLES[key]}`"
    if not isinstance(values, list) or not values:
        raise UserError(f"{path}: {key} is {shortened(values)}: {example}")
    for place, value in enumerate(values):
        if not fits(value):
            raise UserError(f"{path}: {key} has {shortened(value)}, which is not allowed: {example}")
        if value in values[:place]:
            raise UserError(f"{path}: {key} has {value!r} twice: remove one")
