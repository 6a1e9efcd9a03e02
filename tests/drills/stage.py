"""Where a drill is played: a gateway, its simulators, a Prometheus with our rules, the runbook's commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.drills.runbook import entries
from tests.e2e.processes import end, environment, free_port
from tests.e2e.sandboxes import Sandbox, sandbox
from tests.patience import PATIENCE_S

RULES = ROOT / "deploy" / "prometheus"
TELEMETRY = "GIFTCARD_GATEWAY__TELEMETRY__PROMETHEUS"
_LOOK_EVERY_S = 0.2
_SHOWN = 6
"""How many lines of a command's output a record has."""
_CHANGES = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "TRANSACTION_ID"),
    (re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?"), "TIME"),
    (re.compile(r"127\.0\.0\.1:\d+"), "GATEWAY"),
)


class DrillFailed(AssertionError):
    """What should have come did not; the text says what."""


class CannotDrill(Exception):
    """A program that the drill needs is not on this machine; the text names it."""


@dataclass
class Stage:
    """One drill's folder, and what it has shown so far."""

    folder: Path
    show: Callable[[str], None]
    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Show a line, and keep it for the record."""
        for pattern, instead in _CHANGES:
            text = pattern.sub(instead, text)
        self.lines.append(text.rstrip())
        self.show(text)

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait for something that another process does."""
        until = time.monotonic() + PATIENCE_S
        while not is_so():
            if time.monotonic() > until:
                raise DrillFailed(f"not within {PATIENCE_S:.0f} s: {what}")
            time.sleep(_LOOK_EVERY_S)

    @contextmanager
    def gateway(self, environ: Mapping[str, str] | None = None) -> Iterator[Scene]:
        """Start a gateway with its simulators and a Prometheus that scrapes it."""
        target = free_port()
        variables = {TELEMETRY: f"127.0.0.1:{target}", **(environ or {})}
        with (
            sandbox(self.folder, environ=variables) as running,
            prometheus(self.folder, target) as address,
        ):
            scene = Scene(self, running, address, target)
            self.until(lambda: bool(scene.asked("giftcard_circuit_state")), "the first scrape")
            yield scene

    def typed(self, heading: str, block: int, environ: Mapping[str, str], **places: str) -> str:
        """Type a block of an entry, line by line, with placeholders such as TRANSACTION_ID filled in.

        Questions are answered with yes. Where the folder has no gateway.toml, the sandbox's settings stand in
        for it. Returns what was printed.
        """
        printed = ""
        path = f"{Path(sys.executable).parent}:{ROOT / '.tools' / 'bin'}:{os.environ['PATH']}"
        for line in entries()[heading].blocks[block]:
            filled = line
            if not (self.folder / "gateway.toml").exists():
                filled = line.replace("--config gateway.toml", "--sandbox --data data")
            for name, value in places.items():
                filled = filled.replace(name, value)
            self.say(f"$ {line}")
            hands, keyboard = os.openpty()
            os.write(hands, b"y\n")
            done = subprocess.run(
                ["/bin/sh", "-e", "-c", filled],
                cwd=self.folder,
                env=environment({"PATH": path, "COLUMNS": "110", **environ}),
                stdin=keyboard,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
            os.close(hands)
            os.close(keyboard)
            if done.returncode != 0:
                raise DrillFailed(f"{filled}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
            told = done.stdout + done.stderr
            for name, value in places.items():
                told = told.replace(value, name)
            for shown in told.splitlines()[:_SHOWN]:
                self.say(f"  {shown}")
            printed += done.stdout
        return printed


@dataclass
class Scene:
    """A gateway that serves, and what Prometheus knows of it."""

    stage: Stage
    sandbox: Sandbox
    prometheus: str
    target: int
    """The port that Prometheus scrapes."""

    def asked(self, query: str) -> list[dict[str, Any]]:
        """Return what Prometheus answers to a query: each series with its value."""
        url = f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310 - our own Prometheus
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def rings(
        self,
        name: str,
        *,
        sooner: tuple[str, str] | None = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        """Wait until an alert's expression holds, and do something over and over meanwhile.

        `sooner` replaces a bound that would take long to cross.
        """
        expression, said = self._expression(name, sooner)

        def holds() -> bool:
            meanwhile()
            return bool(self.asked(expression))

        self.stage.until(holds, f"{name} rings")
        self.stage.say(f"alert {name} rings{said}")

    def is_silent(self, name: str, *, sooner: tuple[str, str] | None = None) -> None:
        """Wait until an alert's expression holds no more."""
        expression, _ = self._expression(name, sooner)
        self.stage.until(lambda: not self.asked(expression), f"{name} falls silent")
        self.stage.say(f"alert {name} is silent")

    def _expression(self, name: str, sooner: tuple[str, str] | None) -> tuple[str, str]:
        groups = yaml.safe_load((RULES / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
        (rule,) = (one for group in groups for one in group["rules"] if one.get("alert") == name)
        if sooner is None:
            return rule["expr"], ""
        bound, instead = sooner
        changed = rule["expr"].replace(bound, instead)
        if changed == rule["expr"]:
            raise DrillFailed(f"{name} has no {bound}")
        return changed, f" (in the drill at {instead} instead of {bound})"

    def typed(self, heading: str, block: int = 0, **places: str) -> str:
        """Type a block of an entry against this gateway."""
        return self.stage.typed(heading, block, {"GIFTCARD_GATEWAY_ADDRESS": self.sandbox.address}, **places)

    def booked(self, simulator: int, *wanted: str) -> None:
        """Hold the provider's books against what must stand there, in any order."""
        kinds = sorted(str(one["kind"]) for one in self.sandbox.get(simulator, "effects"))
        if kinds != sorted(wanted):
            raise DrillFailed(f"the provider's books have {kinds}, not {sorted(wanted)}")
        self.stage.say(f"the provider's books: {', '.join(wanted) or 'nothing'}")


@contextmanager
def prometheus(folder: Path, *targets: int) -> Iterator[str]:
    """Start a Prometheus that scrapes ports each second and evaluates our rules; give its address."""
    program = shutil.which("prometheus")
    if program is None:
        raise CannotDrill("prometheus is not on this machine; on Debian, apt-get install prometheus")
    address = f"127.0.0.1:{free_port()}"
    config = folder / "prometheus.yml"
    jobs = [
        {"job_name": "gateway", "static_configs": [{"targets": [f"127.0.0.1:{one}" for one in targets]}]},
    ]
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES / name) for name in ("recording.yaml", "alerts.yaml")],
        "scrape_configs": jobs,
    }
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    words = [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'prometheus'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*words, f"--web.listen-address={address}"], stdout=log, stderr=log)
    try:
        until = time.monotonic() + PATIENCE_S
        while not _is_ready(address):
            if process.poll() is not None or time.monotonic() > until:
                raise DrillFailed((folder / "prometheus.log").read_text(encoding="utf-8")[-2000:])
            time.sleep(_LOOK_EVERY_S)
        yield f"http://{address}"
    finally:
        end(process)


def _is_ready(address: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{address}/-/ready", timeout=PATIENCE_S).close()
    except OSError:
        return False
    return True
