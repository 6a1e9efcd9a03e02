"""The unit for systemd: read by systemd's own tools, and its lines run as they stand."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import tomllib
from pathlib import Path

from giftcard_simulators.catalogue import SANDBOXES
from tests.deploy.tools import DEPLOY, ran, tool
from tests.e2e.processes import free_port, run, started
from tests.e2e.sandboxes import ELECTRUM
from tests.e2e.test_workers import TOML

UNIT = DEPLOY / "systemd" / "giftcard-gateway.service"
PROGRAM, CONFIG = "/opt/giftcard-gateway/bin/giftcard-gateway", "/etc/giftcard-gateway/gateway.toml"
EXPOSURE = "20"
"""In tenths, as systemd counts from 0 to 100; a service of which nothing is said has 96."""


def lines(name: str) -> list[str]:
    """Return what the unit says under a name, in order."""
    text = UNIT.read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2] for line in text if line.startswith(f"{name}=")]


def words(name: str, config: Path) -> list[str]:
    """Return the words of a command of ours, with the configuration of a test."""
    (line,) = lines(name)
    program, *rest = shlex.split(line)
    assert program == PROGRAM
    return [str(config) if word == CONFIG else word for word in rest]


def test_systemd_understands_it(tmp_path: Path) -> None:
    """No setting is unknown or misspelt to systemd, once the program is where the unit looks for it."""
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text(encoding="utf-8").replace(PROGRAM, sys.executable), encoding="utf-8")
    done = ran(tool("systemd-analyze"), "verify", str(here))
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_shut_in() -> None:
    """By systemd's own count the service can do little but what it must."""
    done = ran(tool("systemd-analyze"), "security", "--offline=true", f"--threshold={EXPOSURE}", str(UNIT))
    assert done.returncode == 0, done.stdout


def test_it_has_time_to_stop() -> None:
    """The stop time is the lame duck's time, twice the drain and ten seconds of the example's settings."""
    server = tomllib.loads((DEPLOY / "gateway.example.toml").read_text(encoding="utf-8"))["server"]
    assert lines("TimeoutStopSec") == [str(server["lame_duck_s"] + 2 * server["drain_s"] + 10)]
    assert lines("KillMode") == ["mixed"]


def test_its_lines_run(tmp_path: Path) -> None:
    """The journal is made before the start; the gateway serves, takes SIGHUP, and SIGTERM ends it with 0."""
    port, config = free_port(), tmp_path / "gateway.toml"
    text = TOML.format(port=port, simulator=port + ELECTRUM, journal=f"sqlite:///{tmp_path}/journal.db")
    own = "".join(f"{key} = {json.dumps(value)}\n" for key, value in SANDBOXES[0].settings().items())
    config.write_text(text.replace("workers = 2", "") + own, encoding="utf-8")
    before = run(*words("ExecStartPre", config), folder=tmp_path)
    assert before.returncode == 0, before.stderr
    with started(*words("ExecStart", config), folder=tmp_path) as running:
        running.wait_until(lambda: "serves on" in running.complained)
        (reload,) = lines("ExecReload")
        assert reload == "/bin/kill -HUP $MAINPID"
        config.write_text(config.read_text(encoding="utf-8").replace("60450", "60451"), encoding="utf-8")
        os.kill(running.process.pid, signal.SIGHUP)
        running.wait_until(lambda: "providers.shop.prefixes" in running.complained)
        assert running.stop() == 0
