"""All damages, and the table of refusals in docs/damaged_inputs.md: running this module prints its rows."""

import contextlib
import io
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from dicom_damages import DICOM_DAMAGES
from dicom_label_damages import DICOM_LABEL_DAMAGES
from layout_damages import LAYOUT_DAMAGES
from refused_input import PREFIX, Damage, messages
from series_damages import SERIES_DAMAGES
from volume_damages import VOLUME_DAMAGES

DAMAGES = [*SERIES_DAMAGES, *VOLUME_DAMAGES, *LAYOUT_DAMAGES, *DICOM_DAMAGES, *DICOM_LABEL_DAMAGES]


def table(damages: Iterable[Damage] = tuple(DAMAGES)) -> Iterator[str]:
    """Rows of the table in Markdown: damage and line, without the path of the temporary folder."""
    yield "| input | `mass_nnunet convert` exits with status 2 and says |"
    yield "| --- | --- |"
    for damage in damages:
        if not damage.can_happen_here():
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
