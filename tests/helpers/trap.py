"""An object that creates a file when it is unpickled, as a stranger's checkpoint could run any code."""

from pathlib import Path


class Trap:
    """Pickle it, and whoever unpickles it creates ``file``."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return Path.touch, (self.file,)
