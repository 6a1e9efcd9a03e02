"""The two distributions ask for what they need and no more, and their pins are complete."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.source import ROOT, files, modules, text_of

CLIENT_ROOT = "clients/python/src/"
CLIENT_NEEDS = {"giftcard", "google", "grpc"}
PINS = ("deploy/requirements/runtime.txt", "deploy/requirements/dev.txt")
STUBS = [path for path in files() if path.startswith(f"{CLIENT_ROOT}giftcard/v1/")]


def project(path: str) -> dict[str, Requirement]:
    """Read what a distribution depends on, by name."""
    content = tomllib.loads((ROOT / path).read_text(encoding="utf-8"))
    return by_name(content["project"]["dependencies"])


def dev_tools() -> dict[str, Requirement]:
    """Read the group `dev`, by name."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return by_name(line for line in content["dependency-groups"]["dev"] if isinstance(line, str))


def by_name(lines: Iterable[str]) -> dict[str, Requirement]:
    """Parse requirements."""
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each for each in requirements}


def floor(requirement: Requirement) -> str:
    """Give the lowest version a requirement accepts."""
    return next(each.version for each in requirement.specifier if each.operator in {">=", "=="})


def pins(path: str) -> dict[str, list[str]]:
    """Read a file of pins: each name with the lines that belong to it."""
    entries: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text_of(path).splitlines():
        if line and not line.startswith((" ", "#")):
            lines = entries.setdefault(re.split(r"[=\s;@\[]", line)[0], [])
        if line and not line.lstrip().startswith("#"):
            lines.append(line.strip())
    return entries


@pytest.mark.parametrize("path", ["pyproject.toml", "clients/python/pyproject.toml"])
def test_floors_are_what_the_stubs_ask_for(path: str) -> None:
    """The floors of grpcio and protobuf equal what the generated stubs refuse to run below."""
    grpc_stub = next((text_of(stub) for stub in STUBS if stub.endswith("_pb2_grpc.py")), None)
    message_stub = next((text_of(stub) for stub in STUBS if stub.endswith("_pb2.py")), None)
    assert grpc_stub, "no generated service stub; run: make protos"
    assert message_stub, "no generated message stub; run: make protos"
    grpc_version = re.search(r"GRPC_GENERATED_VERSION = '([\d.]+)'", grpc_stub)
    protobuf_version = re.search(r"Domain\.PUBLIC,\s+(\d+),\s+(\d+),\s+(\d+),", message_stub)
    assert grpc_version
    assert protobuf_version
    needs = project(path)
    assert floor(needs["grpcio"]) == grpc_version[1] == floor(dev_tools()["grpcio-tools"])
    assert floor(needs["protobuf"]) == ".".join(protobuf_version.groups())


def test_the_client_needs_only_the_wire() -> None:
    """The client depends on grpcio, protobuf and googleapis-common-protos, and imports nothing else."""
    assert set(project("clients/python/pyproject.toml")) == {
        "grpcio",
        "protobuf",
        "googleapis-common-protos",
    }
    used = {name.split(".")[0] for module in modules(CLIENT_ROOT) for _, name in module.uses()}
    assert used - set(sys.stdlib_module_names) <= CLIENT_NEEDS


@pytest.mark.parametrize("path", PINS)
def test_pins_have_hashes_and_name_no_place(path: str) -> None:
    """Every package has one version and its files' hashes, and nothing says where it came from."""
    entries = pins(path)
    assert len(entries) > len(project("pyproject.toml"))
    for name, lines in entries.items():
        assert re.match(rf"{re.escape(name)}==[\w.!+]+( ;.*)? \\$", lines[0]), lines[0]
        assert len(lines) > 1, f"{name} has no hash"
        assert all(re.match(r"--hash=sha256:[0-9a-f]{64}( \\)?$", line) for line in lines[1:]), name


@pytest.mark.parametrize("path", PINS)
def test_pins_cover_what_is_asked_for(path: str) -> None:
    """Everything the distributions depend on is pinned, and the tools too where they are wanted."""
    wanted = project("pyproject.toml") | project("clients/python/pyproject.toml")
    if path.endswith("dev.txt"):
        wanted |= dev_tools()
    missing = set(wanted) - {canonicalize_name(name) for name in pins(path)} - {"giftcard-client"}
    assert not missing, f"run make lock: {missing}"
    for name, lines in pins(path).items():
        version = lines[0].split("==")[1].split()[0]
        requirement = wanted.get(canonicalize_name(name))
        assert requirement is None or requirement.specifier.contains(version, prereleases=True), lines[0]


def test_make_help_has_a_line_for_every_target() -> None:
    """Each phony target of the Makefile says what it does, and those the owner asked for are there."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = {name for line in re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE) for name in line.split()}
    helped = set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))
    assert phony == helped
    asked_for = {"install", "run", "demo", "test", "check", "protos", "crash", "bench", "clients"}
    assert helped >= asked_for
