"""All damaged inputs, and the table of what they give: ``python tests/damages.py`` prints it in Markdown."""

import contextlib
import io
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from damage import PREFIX, Damage, can_run_apart, messages
from damaged_files import FILES
from damaged_trees import TREES

DAMAGES = [*FILES, *TREES]


def table(damages: Iterable[Damage] = tuple(DAMAGES)) -> Iterator[str]:
    """The rows of the table: what is wrong, and the line that it gives, without the path of the folder."""
    yield "| input | `mass_nnunet convert` exits with status 2 and says |"
    yield "| --- | --- |"
    for damage in damages:
        if damage.apart and not can_run_apart():
            continue
        with tempfile.TemporaryDirectory() as folder:
            damage.prepare(Path(folder))
            errors = io.StringIO()
            with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
                damage.convert(Path(folder))
        (line,) = messages(errors.getvalue())
        text = line.removeprefix(PREFIX).replace(f"{folder}/", "").replace("|", r"\|")
        yield f"| {damage.name} | {text} |"


if __name__ == "__main__":
    print("\n".join(table()))
