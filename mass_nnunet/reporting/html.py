"""Parts of a self-contained HTML page: tables, figures, commands. The page loads no other file.

These functions return HTML as ``Markup``. Jinja2 escapes all other text, including a string in the place of ``Markup``.
"""

import base64
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from mass_nnunet.data.files import atomic_path
from mass_nnunet.errors import UserError

_TEMPLATES = Environment(
    loader=PackageLoader("mass_nnunet.reporting"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_IMAGE_KINDS = {".png": "png", ".jpg": "jpeg", ".svg": "svg+xml"}
_PACKAGES = ("mass-nnunet", "nnunetv2", "torch", "numpy", "SimpleITK")


def render(template: str, **values: object) -> str:
    """Render a template. The values of an ``.html`` template are escaped, and its text is ``Markup``."""
    text = _TEMPLATES.get_template(template).render(values)
    return Markup(text) if template.endswith(".html") else text


def macro(name: str, *values: object, template: str = "parts.html") -> Markup:
    """Render a macro of a template with the arguments ``values``."""
    return Markup(getattr(_TEMPLATES.get_template(template).module, name)(*values))


def page(title: str, lead: str, sections: Sequence[Markup]) -> Markup:
    """The HTML document; ``title`` and ``lead`` are text."""
    return Markup(render("page.html", title=title, lead=lead, sections=sections))


def check_page(path: Path) -> None:
    """Make sure that the name of a page ends with .html: browsers show other files as text.

    Raises:
        UserError: it does not.
    """
    if path.suffix != ".html":
        raise UserError(f"-o {path} is not an HTML file: give a name that ends with .html")


def write_page(path: Path, html: str) -> None:
    """Write the document completely or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def section(title: str, *parts: Markup) -> Markup:
    """A heading and the HTML below it."""
    return macro("section", title, parts)


def subsection(title: str, *parts: Markup) -> Markup:
    """A smaller heading and the HTML below it."""
    return macro("section", title, parts, 3)


def paragraph(text: str, kind: str = "") -> Markup:
    """A paragraph of text; ``kind`` is a class of the style, such as ``note``."""
    return macro("paragraph", text, kind)


def code(lines: Sequence[str]) -> Markup:
    """Lines of commands or code."""
    return macro("code", lines)


def items(texts: Sequence[str]) -> Markup:
    """A list of texts."""
    return macro("items", texts)


def fold_out(title: str, html: Markup, is_open: bool = False) -> Markup:
    """HTML that is shown when its title is clicked."""
    return macro("fold_out", title, html, is_open)


def links(text: str, folder: str, files: Sequence[tuple[str, str]]) -> Markup:
    """A note with links to files in a folder beside the page; ``files`` are pairs of file name and link text."""
    return macro("links", text, folder, files)


PATIENTS = "This page holds images of patients: pass it on only to those who may see the scans."
"""The warning on each page with pictures of scans."""


def picture(path: Path, caption: str) -> Markup:
    """A PNG, JPEG or SVG file as part of the page."""
    content = base64.b64encode(Path(path).read_bytes()).decode()
    return macro("picture", f"data:image/{_IMAGE_KINDS[Path(path).suffix]};base64,{content}", caption)


def table(header: Sequence[str], rows: Sequence[Sequence[object]], text_columns: int = 1) -> Markup:
    """A table of values; the first ``text_columns`` columns are aligned to the left, the others hold numbers."""
    plain = {"note": "", "is_best": False, "is_marked": False}
    entries = [[{"text": str(value), **plain} for value in row] for row in rows]
    content = {"header": header, "groups": [("", entries)], "text_columns": text_columns}
    return Markup(render("table.html", table=content, keys={}))


def versions() -> list[tuple[str, str]]:
    """Versions of Python and of the main packages, and the number of processor cores."""
    packages = [(name, metadata.version(name)) for name in _PACKAGES]
    return [("Python", platform.python_version()), *packages, ("CPU cores", str(os.cpu_count()))]
