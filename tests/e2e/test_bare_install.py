"""The wheels as an operator installs them: the gateway without extras, and nothing of the sandbox.

The wheels lie in an environment of their own, with links to what they ask for and to nothing else, so
that an import of anything undeclared fails there.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.e2e.processes import environment, free_port
from tests.house.source import ROOT
from tests.patience import PATIENCE_S

SOURCES = {"giftcard-client": "clients/python", "giftcard-gateway": ".", "giftcard-sandbox": "adapters"}
UV = str(Path(sys.executable).with_name("uv"))
SETTINGS = """
[server]
listen = "127.0.0.1:PORT"

[journal]
url = "sqlite:///journal.db"

[seal]
active = "one"
hash_key = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
keys = { one = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=" }

[providers.shop]
adapter = "giftcard_adapters.gatepay:GatePay"

[providers.shop.settings]
base_url = "http://127.0.0.1:9"
client_id = "shop"
api_secret = "made-up"
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build the wheel of each distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    for source in SOURCES.values():
        build = [*(UV, "build", "--wheel", "--quiet", "--no-build-isolation", "--python", sys.executable)]
        subprocess.run([*build, "--out-dir", str(folder), str(ROOT / source)], check=True)
    return {name: next(folder.glob(f"{name.replace('-', '_')}-*.whl")) for name in SOURCES}


@pytest.fixture(scope="module")
def bare(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the gateway without extras; return the folder of its programs."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([UV, "venv", "--quiet", "--offline", "--python", sys.executable, folder], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    for each in needed("giftcard-gateway"):
        link(each, site)
    ours = [str(wheels[name]) for name in ("giftcard-client", "giftcard-gateway")]
    install = (
        UV,
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--python",
        str(folder / "bin/python"),
    )
    subprocess.run([*install, *ours], check=True)
    return folder / "bin"


def needed(name: str) -> Iterator[Distribution]:
    """Give what a distribution of ours asks for without extras, and what that asks for in turn."""
    seen: set[str] = set()
    waiting = [Requirement(name)]
    while waiting:
        wanted = waiting.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        found = distribution(wanted.name)
        for line in found.requires or []:
            further = Requirement(line)
            chosen = wanted.extras or {""}
            if further.marker is None or any(further.marker.evaluate({"extra": one}) for one in chosen):
                waiting.append(further)
        if wanted.name not in SOURCES:
            yield found


def link(found: Distribution, site: Path) -> None:
    """Let an installed distribution's files be found in another environment too."""
    for file in found.files or []:
        target = site / file
        if ".." not in file.parts and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(Path(str(found.locate_file(file))))


def run(bare: Path, folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program in `folder`."""
    return subprocess.run(
        [str(bare / "giftcard-gateway"), *arguments],
        cwd=folder,
        env=environment(environ),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def configured(folder: Path, **changes: str) -> str:
    """Write a configuration with changes in it; return its name."""
    text = SETTINGS.replace("PORT", str(free_port()))
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "gateway.toml").write_text(text, encoding="utf-8")
    return "gateway.toml"


def test_the_production_wheel_holds_no_simulator(wheels: dict[str, Path]) -> None:
    """Each package is in one wheel, and what is not for production is in the sandbox's."""
    held = {
        name: {path.split("/")[0] for path in zipfile.ZipFile(wheel).namelist()}
        for name, wheel in wheels.items()
    }
    packages = {name: {one for one in tops if not one.endswith(".dist-info")} for name, tops in held.items()}
    assert packages == {
        "giftcard-client": {"giftcard"},
        "giftcard-gateway": {"giftcard_adapters", "giftcard_gateway"},
        "giftcard-sandbox": {"giftcard_conformance", "giftcard_demo", "giftcard_simulators"},
    }


def test_a_wheel_has_every_file_of_its_packages(wheels: dict[str, Path]) -> None:
    """Templates, SQL and marker files are in the wheels beside the modules."""
    tracked = subprocess.run(
        ["git", "ls-files", "adapters/giftcard_*", "gateway", "clients/python/src"],  # noqa: S607 - any git will do
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    held = {path for wheel in wheels.values() for path in zipfile.ZipFile(wheel).namelist()}
    roots = ("adapters/", "gateway/", "clients/python/src/")
    missing = {path for path in tracked if (ROOT / path).exists()} - {
        root + path for root in roots for path in held
    }
    assert not missing


def test_it_works_without_extras(bare: Path, tmp_path: Path) -> None:
    """Help, a configuration's check and a schema need nothing but what the wheel asks for."""
    assert "check-config" in run(bare, tmp_path, "--help").stdout
    name = configured(tmp_path)
    checked = run(bare, tmp_path, "check-config", "--config", name)
    assert "providers.shop.adapter = giftcard_adapters.gatepay:GatePay" in checked.stdout, checked.stderr
    migrated = run(bare, tmp_path, "migrate", "--config", name)
    assert migrated.returncode == 0, migrated.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("serve", "--sandbox"), "sandbox"),
        (("check-config", "--sandbox"), "sandbox"),
        (("sandbox",), "sandbox"),
        (("demo",), "sandbox"),
        (("simulate", "somebodys:Simulator"), "sandbox"),
        (("new-adapter", "acme"), "sandbox"),
    ],
)
def test_a_command_without_its_extra_names_it(
    bare: Path, tmp_path: Path, arguments: tuple[str, ...], extra: str
) -> None:
    """A command whose extra is not installed is one sentence that says what to install."""
    done = run(bare, tmp_path, *arguments)
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert said.endswith(f"which is not installed: install giftcard-gateway[{extra}]")


@pytest.mark.parametrize(
    ("changes", "environ", "extra"),
    [
        ({"sqlite:///journal.db": "postgresql://127.0.0.1:9/journal"}, {}, "postgres"),
        ({"gatepay:GatePay": "gr4vy:Gr4vy"}, {}, "jwt"),
        (
            {
                "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=": "wrapped:hsm:AQID",
                "[journal]": '[kms.hsm]\nmodule = "m"\ntoken = "t"\nkey = "k"\npin = "p"\n[journal]',
            },
            {},
            "pkcs11",
        ),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, "otlp"),
        (
            {},
            {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "otlp",
        ),
    ],
)
def test_a_setting_without_its_extra_names_it(
    bare: Path, tmp_path: Path, changes: dict[str, str], environ: dict[str, str], extra: str
) -> None:
    """A gateway whose settings need an extra that is not installed says so and does not start."""
    done = run(bare, tmp_path, "serve", "--config", configured(tmp_path, **changes), **environ)
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert said.endswith(f"which is not installed: install giftcard-gateway[{extra}]")
