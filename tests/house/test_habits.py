"""What surrounds the code is in order: workflows, forms, hooks, owners and metadata agree with each other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from tests.house import shelf
from tests.house.source import ROOT, files, text_of

WORKFLOWS = [path for path in files() if path.startswith(".github/workflows/")]
DISTRIBUTIONS = ("pyproject.toml", "clients/python/pyproject.toml")
SCHEMAS = {
    "vendor.github-workflows": ".github/workflows/*.yml",
    "custom.github-workflows-require-timeout": ".github/workflows/*.yml",
    "vendor.github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "vendor.github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "vendor.renovate": "renovate.json",
}
PINNED = re.compile(r"uses: [\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def toml(path: str) -> dict[str, Any]:
    """Read a TOML file."""
    return tomllib.loads(text_of(path))


def uses(text: str) -> list[str]:
    """Give each line of a workflow that runs an action which is not our own."""
    lines = (line.strip().removeprefix("- ") for line in text.splitlines())
    return [line for line in lines if line.startswith("uses:") and not line.startswith("uses: ./")]


def unpinned(text: str) -> list[str]:
    """Give the actions that are not named by a full hash with the version behind it."""
    return [line for line in uses(text) if not PINNED.fullmatch(line)]


@pytest.mark.parametrize("path", WORKFLOWS)
def test_actions_are_pinned(path: str) -> None:
    """Every action of a workflow is named by its commit's full hash, with its version as a comment."""
    assert uses(text_of(path))
    assert unpinned(text_of(path)) == []


def test_an_action_has_one_version_everywhere() -> None:
    """The same action is the same commit in every workflow."""
    pinned = {line.removeprefix("uses: ") for path in WORKFLOWS for line in uses(text_of(path))}
    assert len(pinned) == len({line.partition("@")[0] for line in pinned})


@pytest.mark.parametrize(
    "line",
    [
        "uses: actions/checkout@v6",
        "uses: actions/checkout@main # v6.0.2",
        "uses: actions/checkout@de0fac2 # v6.0.2",
        "- uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd",
    ],
)
def test_an_unpinned_action_is_found(line: str) -> None:
    """A tag, a branch, a short hash and a hash without its version are found."""
    assert unpinned(f"steps:\n  {line}\n")


@pytest.mark.parametrize("path", WORKFLOWS)
def test_workflows_may_read_only(path: str) -> None:
    """A workflow may read the repository and nothing else; what a job may do besides stands at the job."""
    assert yaml.safe_load(text_of(path))["permissions"] == {"contents": "read"}


def test_python_versions_agree() -> None:
    """What CI runs, what both distributions say they run on, and what the tools check for, is the same."""
    tested = yaml.safe_load(text_of(".github/workflows/ci.yml"))["jobs"]["check-and-test"]["strategy"][
        "matrix"
    ]["python"]
    for path in DISTRIBUTIONS:
        project = toml(path)["project"]
        named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
        assert named == tested, path
        assert project["requires-python"] == f">={tested[0]}", path
    tools = toml("pyproject.toml")["tool"]
    assert tools["mypy"]["python_version"] == tested[0]
    assert tools["ruff"]["target-version"] == f"py{tested[0].replace('.', '')}"


@pytest.mark.parametrize("path", DISTRIBUTIONS)
def test_distributions_say_what_they_are(path: str) -> None:
    """Each distribution has a readme that is there, keywords, and a link to source, documents and issues."""
    project = toml(path)["project"]
    assert (ROOT / path).with_name(project["readme"]).is_file()
    assert project["keywords"] == sorted(project["keywords"])
    assert set(project["urls"]) == {"Repository", "Documentation", "Changelog", "Issues"}
    for url in project["urls"].values():
        inside = re.search(r"/(?:tree|blob)/main/(.+)", url)
        assert inside is None or inside[1] in shelf.paths(), url


@pytest.mark.parametrize(("schema", "pattern"), SCHEMAS.items())
def test_files_for_others_have_their_form(schema: str, pattern: str) -> None:
    """Workflows, with time-outs, issue forms and Renovate's settings are what GitHub and Renovate take."""
    paths = [str(path) for path in ROOT.glob(pattern)]
    assert paths
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *paths],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_hooks_run_only_what_is_installed_here() -> None:
    """Every hook is our own and runs a program from .venv, so a commit downloads nothing."""
    configured = yaml.safe_load(text_of(".pre-commit-config.yaml"))
    assert [repo["repo"] for repo in configured["repos"]] == ["local"]
    hooks = configured["repos"][0]["hooks"]
    assert all(hook["language"] == "system" and hook["entry"].startswith(".venv/bin/") for hook in hooks)
    assert [hook["id"] for hook in hooks if hook.get("stages") == ["commit-msg"]] == ["subject"]


def test_owners_own_what_there_is() -> None:
    """Every path of CODEOWNERS exists and has an owner."""
    lines = [line.split() for line in text_of(".github/CODEOWNERS").splitlines() if line and line[0] != "#"]
    assert lines[0][0] == "*"
    for path, *owners in lines:
        assert path == "*" or str(PurePosixPath(path.strip("/"))) in shelf.paths(), path
        assert owners
        assert all(owner.startswith("@") for owner in owners), path


def test_the_owner_is_named_alike_everywhere() -> None:
    """CODEOWNERS, package metadata and the issue chooser name one owner, so that one word is replaced."""
    owners = set(re.findall(r"@([\w-]+)", text_of(".github/CODEOWNERS")))
    for path in (*DISTRIBUTIONS, ".github/ISSUE_TEMPLATE/config.yml"):
        owners |= set(re.findall(r"https://github\.com/([\w-]+)/giftcard-gateway", text_of(path)))
    assert len(owners) == 1


def test_the_container_is_set_up_by_make() -> None:
    """The development container is made by the same `make install` as every other clone."""
    container = json.loads(text_of(".devcontainer/devcontainer.json"))
    assert "make install" in container["postCreateCommand"]
    assert set(container["postCreateCommand"].split()[1:]) <= shelf.targets()
