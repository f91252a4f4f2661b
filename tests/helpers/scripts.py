"""The scripts of experiments/, which are no modules of the package."""

import importlib.util
from pathlib import Path
from types import ModuleType

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def load_script(name: str) -> ModuleType:
    """Import a script. One that imports its neighbours needs :data:`EXPERIMENTS` in ``sys.path``."""
    spec = importlib.util.spec_from_file_location(f"experiments_{name}", EXPERIMENTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
