"""What our packages import is declared by the distribution that ships them."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import packages_distributions
from pathlib import PurePosixPath
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.source import ROOT, files, modules

PROJECTS = [
    path for path in files() if PurePosixPath(path).name == "pyproject.toml" and not path.startswith("tests/")
]


def read(path: str) -> Any:  # noqa: ANN401 - plain TOML has no narrower type
    """Read a pyproject.toml."""
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def shipped(path: str) -> tuple[str, ...]:
    """Name the folders of the packages that a project builds, from the root."""
    packages = read(path)["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return tuple(f"{PurePosixPath(path).parent / package}/" for package in packages)


def declared(path: str) -> set[str]:
    """Name the project and what it depends on, its extras included."""
    project = read(path)["project"]
    extras = project.get("optional-dependencies", {}).values()
    lines = [*project.get("dependencies", ()), *(line for extra in extras for line in extra)]
    return {canonicalize_name(Requirement(line).name) for line in [*lines, project["name"]]}


def distributions() -> dict[str, list[str]]:
    """Give the distributions that each import name comes from: ours as they say, others as installed."""
    ours = {
        PurePosixPath(room).name: [read(path)["project"]["name"]]
        for path in PROJECTS
        for room in shipped(path)
    }
    return {**packages_distributions(), **ours}


def undeclared(
    imported: Iterable[tuple[str, str]], known: set[str], providers: Mapping[str, list[str]]
) -> list[str]:
    """Give a sentence for each import of a library that is not among the known distributions."""
    return [
        f"{place} imports {name}: declare {' or '.join(providers.get(name, [name]))}"
        for place, name in imported
        if not known & {canonicalize_name(each) for each in providers.get(name, [name])}
    ]


@pytest.mark.parametrize("path", PROJECTS)
def test_imports_are_declared(path: str) -> None:
    """Every library that a distribution's packages import is among its dependencies or its extras."""
    rooms = shipped(path)
    # The fixtures for users' tests are imported by pytest alone, which is there then.
    own = {PurePosixPath(room).name for room in rooms} | {"pytest", *sys.stdlib_module_names}
    imported = {(module.path, used.split(".")[0]) for module in modules(*rooms) for _, used in module.uses()}
    outside = sorted((place, name) for place, name in imported if name not in own)
    assert outside, f"{path} ships {rooms}, and nothing in them imports a library"
    broken = undeclared(outside, declared(path), distributions())
    assert not broken, "\n" + "\n".join(broken)


def test_an_undeclared_import_is_found() -> None:
    """A library that only came with another one is found, whatever its distribution is called."""
    providers = {"yarl": ["yarl"], "grpc": ["grpcio"]}
    imported = [("a.py", "yarl"), ("a.py", "grpc")]
    assert undeclared(imported, {"grpcio", "aiohttp"}, providers) == ["a.py imports yarl: declare yarl"]
