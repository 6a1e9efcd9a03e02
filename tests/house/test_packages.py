"""The distributions ask for what they import and no more, and their pins are complete."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import PurePosixPath
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.audit.pins import DEV, RUNTIME, entries
from giftcard_adapters.extras import EXTRAS
from tests.house.source import ROOT, files, modules, text_of

PROJECTS = ("pyproject.toml", "adapters/pyproject.toml", "clients/python/pyproject.toml")
CLIENT_ROOT = "clients/python/src/"
DATA_ALONE = {"tzdata"}
"""Not imported by us: zoneinfo reads it where the system has no zones."""
CLIENT_NEEDS = {"giftcard", "google", "grpc"}
PINS = (RUNTIME, DEV)
STUBS = [path for path in files() if path.startswith(f"{CLIENT_ROOT}giftcard/v1/")]


def content(path: str) -> dict[str, Any]:
    """Read a pyproject.toml."""
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def project(path: str) -> dict[str, Requirement]:
    """Read what a distribution depends on, by name."""
    return by_name(content(path)["project"]["dependencies"])


def extras(path: str) -> dict[str, dict[str, Requirement]]:
    """Read what each extra of a distribution adds, by name."""
    lists = content(path)["project"].get("optional-dependencies", {})
    return {extra: by_name(lines) for extra, lines in lists.items()}


def dev_tools() -> dict[str, Requirement]:
    """Read the group `dev`, by name."""
    lines = content("pyproject.toml")["dependency-groups"]["dev"]
    return by_name(line for line in lines if isinstance(line, str))


def packages(path: str) -> list[str]:
    """List the folders of the packages a distribution's wheel has, from the root."""
    folder = PurePosixPath(path).parent
    listed = content(path)["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return [str(folder / package) for package in listed]


def imported(path: str) -> dict[str, set[str]]:
    """Give each package from elsewhere that a distribution imports, with the distributions that bring it."""
    brings = {name: set(bringers) for name, bringers in packages_distributions().items()}
    for each in PROJECTS:
        name = content(each)["project"]["name"]
        brings |= {PurePosixPath(package).name: {name} for package in packages(each)}
    own = [f"{package}/" for package in packages(path)]
    used = {name.split(".")[0] for module in modules(*own) for _, name in module.uses()}
    # The fixtures for users' tests are imported by pytest alone, which is there then.
    used -= {"pytest", *sys.stdlib_module_names, *(PurePosixPath(package).name for package in own)}
    return {name: {canonicalize_name(one) for one in brings[name]} for name in used}


def by_name(lines: Iterable[str]) -> dict[str, Requirement]:
    """Parse requirements."""
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each for each in requirements}


def floor(requirement: Requirement) -> str:
    """Give the lowest version a requirement accepts."""
    return next(each.version for each in requirement.specifier if each.operator in {">=", "=="})


def pins(path: str) -> dict[str, list[str]]:
    """Read a file of pins: each name with the lines that belong to it, without comments."""
    return {
        name: [line.strip() for line in lines if not line.lstrip().startswith("#")]
        for name, lines in entries(text_of(path)).items()
    }


def test_floors_are_what_the_stubs_ask_for() -> None:
    """The client's floors of grpcio and protobuf equal what the generated stubs refuse to run below."""
    grpc_stub = next((text_of(stub) for stub in STUBS if stub.endswith("_pb2_grpc.py")), None)
    message_stub = next((text_of(stub) for stub in STUBS if stub.endswith("_pb2.py")), None)
    assert grpc_stub, "no generated service stub; run: make protos"
    assert message_stub, "no generated message stub; run: make protos"
    grpc_version = re.search(r"GRPC_GENERATED_VERSION = '([\d.]+)'", grpc_stub)
    protobuf_version = re.search(r"Domain\.PUBLIC,\s+(\d+),\s+(\d+),\s+(\d+),", message_stub)
    assert grpc_version
    assert protobuf_version
    needs = project("clients/python/pyproject.toml")
    (generator,) = by_name(content("pyproject.toml")["dependency-groups"]["stubs"]).values()
    assert floor(needs["grpcio"]) == grpc_version[1] == floor(generator)
    assert floor(needs["protobuf"]) == ".".join(protobuf_version.groups())


def test_the_client_needs_only_the_wire() -> None:
    """The client needs grpcio, protobuf and googleapis-common-protos; it imports only them, and pytest."""
    assert set(project("clients/python/pyproject.toml")) == {
        "grpcio",
        "protobuf",
        "googleapis-common-protos",
    }
    used = {name.split(".")[0] for module in modules(CLIENT_ROOT) for _, name in module.uses()}
    assert used - set(sys.stdlib_module_names) - {"pytest"} <= CLIENT_NEEDS


@pytest.mark.parametrize("path", PROJECTS)
def test_what_is_imported_is_asked_for(path: str) -> None:
    """A distribution asks for what it imports, in an extra or without, and for nothing else."""
    always, used = set(project(path)), imported(path)
    allowed = always.union(*extras(path).values())
    unasked = {name for name, bringers in used.items() if not bringers & allowed}
    assert not unasked, f"{path} does not ask for what brings {unasked}"
    unused = always - set().union(*used.values()) - DATA_ALONE
    assert not unused, f"{path} asks for {unused} and imports nothing of it"


def test_every_extra_is_told_of() -> None:
    """The sentence for a missing module names an extra that brings it, and `all` is all of them."""
    known = extras("pyproject.toml")
    (everything,) = known.pop("all").values()
    assert everything.name == "giftcard-gateway"
    assert everything.extras == set(known) == set(EXTRAS.values())
    own = {PurePosixPath(package).name for package in packages("adapters/pyproject.toml")}
    for module, extra in EXTRAS.items():
        name = (
            "giftcard-sandbox"
            if module in own
            else re.sub(r"[._]", "-", module).replace("propagators", "propagator")
        )
        assert any(each.removeprefix("python-").startswith(name) for each in known[extra]), (
            f"[{extra}] does not bring {module}"
        )


def test_the_distributions_have_one_version() -> None:
    """What is released together has the same version."""
    assert len({content(path)["project"]["version"] for path in PROJECTS}) == 1


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
    wanted = {name: each for path in PROJECTS for name, each in project(path).items()}
    wanted |= {name: each for extra in extras("pyproject.toml").values() for name, each in extra.items()}
    if path.endswith("dev.txt"):
        wanted |= dev_tools()
    missing = (
        set(wanted)
        - {canonicalize_name(name) for name in pins(path)}
        - {content(each)["project"]["name"] for each in PROJECTS}
    )
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
    asked_for = {"install", "run", "demo", "test", "check", "protos", "crash", "bench", "clients", "audit"}
    assert helped >= asked_for


@pytest.mark.parametrize("path", PROJECTS)
def test_our_distributions_need_one_another_of_one_version(path: str) -> None:
    """What is released together is installed together: each asks for the others with its own version."""
    version = content(path)["project"]["version"]
    ours = {content(each)["project"]["name"] for each in PROJECTS} - {content(path)["project"]["name"]}
    asked = [project(path), *extras(path).values()]
    pinned = {
        each.name: str(each.specifier) for needs in asked for each in needs.values() if each.name in ours
    }
    assert set(pinned.values()) <= {f"=={version}"}
    assert pinned or path.startswith("clients/")


@pytest.mark.parametrize("path", PROJECTS)
def test_every_distribution_has_the_license(path: str) -> None:
    """The license's text is in each wheel, and is the same everywhere."""
    (name,) = content(path)["project"]["license-files"]
    assert text_of(str(PurePosixPath(path).parent / name)) == text_of("LICENSE")
