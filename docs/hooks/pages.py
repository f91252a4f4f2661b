"""What the site makes itself: the page of commands, the two pages from the repository's root, and the API's sources."""

import argparse
import importlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from mass_nnunet.cli import COMMANDS

ROOT = Path(__file__).parents[2]
SUBPACKAGES = ("dataset_conversion", "planners", "trainers")
"""The folders at the root that are installed as subpackages of mass_nnunet."""


def on_startup(command: str, dirty: bool) -> None:
    """Lay out the package as setup.cfg installs it, so that mkdocstrings finds mass_nnunet.trainers and the others."""
    target = ROOT / "build" / "docs_source" / "mass_nnunet"
    shutil.rmtree(target, ignore_errors=True)
    python_files = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mass_nnunet", target, ignore=python_files)
    for name in SUBPACKAGES:
        shutil.copytree(ROOT / name, target / name, ignore=python_files)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that have no file in docs/."""
    for path, text in (
        ("reference/commands.md", commands_page()),
        ("contributing.md", root_page("CONTRIBUTING.md")),
        ("changelog.md", root_page("CHANGELOG.md")),
    ):
        files.append(File.generated(config, path, content=text))
    return files


def commands_page() -> str:
    """What ``--help`` says of every command, in Markdown."""
    os.environ["COLUMNS"] = "88"  # argparse's line length: what fits the page
    lines = [
        "# Commands",
        "",
        "This page is made of each command's `--help` when the site is built. "
        "A command exits with 0 when it is done, with 2 and one line when the input is at fault, "
        "and with 130 when it is interrupted.",
        "",
        "    mass_nnunet COMMAND ...",
    ]
    for words, parser in parsers():
        lines += [
            "",
            f"{'#' * (1 + min(len(words), 2))} {' '.join(words)}",
            "",
            "```text",
            parser.format_help().strip(),
        ]
        lines += ["```"]
    return "\n".join(lines) + "\n"


def parsers() -> Iterator[tuple[list[str], argparse.ArgumentParser]]:
    """Every command and subcommand: its words, and its parser."""
    for name, (module, text) in COMMANDS.items():
        description = text[0].upper() + text[1:] + "."
        parser = argparse.ArgumentParser(prog=f"mass_nnunet {name}", description=description)
        importlib.import_module(module).add_arguments(parser)
        yield from walk([name], parser)


def walk(words: list[str], parser: argparse.ArgumentParser) -> Iterator[tuple[list[str], argparse.ArgumentParser]]:
    """A parser and all below it."""
    yield words, parser
    for action in parser._actions:  # argparse has no public way to its subparsers
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from walk([*words, name], below)


def root_page(name: str) -> str:
    """A page of the repository's root; its links into docs/ and to other such pages become the site's own."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"\]\(docs/([^)]+)\)", r"](\1)", text)
    text = text.replace("](CHANGELOG.md)", "](changelog.md)").replace("](CONTRIBUTING.md)", "](contributing.md)")
    return text
