"""The image, the conda environment, the smoke test and the locked versions fit the project."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from mass_nnunet import cli
from source_tree import PACKAGES, ROOT

DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [re.fullmatch(r"([a-z0-9-]+)==(\S+)", line) for line in lines if not line.startswith("#")]
    assert all(pins)
    return {pin[1]: Version(pin[2]) for pin in pins}


def requirements() -> list[Requirement]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    texts = [parser["options"]["install_requires"], *parser["options.extras_require"].values()]
    return [Requirement(line) for text in texts for line in text.strip().splitlines()]


def test_every_requirement_has_a_locked_version_that_it_allows():
    versions = locked()
    for requirement in requirements():
        assert requirement.specifier.contains(versions[normal(requirement.name)]), requirement


def test_the_image_has_all_packages_and_the_locked_versions():
    copied = [word for line in re.findall(r"^COPY (.+)$", INSTRUCTIONS, re.M) for word in line.split()[:-1]]
    assert set(PACKAGES) <= set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == set(copied)
    installs = re.findall(r"pip install [^;&]+", INSTRUCTIONS)
    assert len(installs) == 2 and all("--constraint constraints.txt" in line for line in installs)


def test_the_image_without_cuda_has_all_that_is_built_for_one_kind_of_torch():
    (words,) = [line.split() for line in re.findall(r"pip install [^;&]+", INSTRUCTIONS) if "--index-url" in line]
    assert {name for name in locked() if name.startswith("torch")} == {
        word for word in words if word.startswith("torch")
    }
    # The index has other versions of the packages that these need.
    assert "--no-deps" in words


def test_the_image_does_not_run_as_root_and_sets_what_nnunet_needs():
    assert re.findall(r"^USER (\w+)$", INSTRUCTIONS, re.M) == ["1000"]
    assert not re.search(r"curl|wget|:latest|ADD ", INSTRUCTIONS)
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results", "nnUNet_extTrainer"):
        assert f"{name}=/" in INSTRUCTIONS


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not here")
def test_hadolint_has_nothing_to_say():
    subprocess.run(["hadolint", str(ROOT / "docker" / "Dockerfile")], check=True)


def test_the_conda_environment_installs_the_project_with_the_locked_versions():
    file = ROOT / "docker" / "environment.yml"
    *_, pip = yaml.safe_load(file.read_text(encoding="utf-8"))["dependencies"]
    constraint, project = pip["pip"]
    assert (file.parent / constraint.split()[1]).resolve() == ROOT / "constraints.txt"
    assert (file.parent / project.partition("[")[0]).resolve() == ROOT


def test_the_smoke_test_gives_commands_that_exist():
    lines = (ROOT / "docker" / "smoke").read_text(encoding="utf-8").splitlines()
    commands = [line.split()[1:] for line in lines if re.match(r"mass_nnunet [a-z]+ ", line)]
    assert [cli.parse([word for word in words if word != "|"][: _length(words)]).command for words in commands]
    assert {words[0] for words in commands} >= {"phantom", "convert", "split", "plan"}


def _length(words: list[str]) -> int:
    return words.index("|") if "|" in words else len(words)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_is_valid_and_calls_scripts_that_exist(file):
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    steps = [step for job in content["jobs"].values() for step in job["steps"]]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    text = "\n".join(step.get("run", "") for step in steps)
    named = re.findall(r"(?:experiments|docker|tests|\.ci)/[\w./]+", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_files_of_no_system_hold_a_registry():
    texts = [Path(ROOT / "docker" / name).read_text(encoding="utf-8") for name in ("Dockerfile", "environment.yml")]
    assert not re.search(r"https?://", "".join(texts))
