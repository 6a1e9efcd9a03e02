"""All that runs while designs are compared: a provider, PostgreSQL, the designs. A `with` block ends it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import click

from tests.bench.compare import costs
from tests.conftest import has_postgres
from tests.e2e.processes import end, environment
from tests.postgres import PostgresServer

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PYTHON = ROOT / ".venv/bench/bin/python"
"""All designs run in one environment, so that none has newer libraries than another."""
PATIENCE_S = 120.0
_LOOK_EVERY_S = 0.005
_GO = ("go", "build", "-trimpath", "-o")


@dataclass
class Serving:
    """One design while it serves."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    journal: str = ""
    """URL of what it writes into; empty if it keeps nothing."""
    key: str = ""
    """The API key it asks for; empty if it asks for none."""
    started_s: float = 0.0
    """How long it took from its start until it served."""
    heard: Path | None = None
    """File with the ids of the transactions that callers heard to be approved."""

    @property
    def address(self) -> str:
        """Where it is called."""
        return f"127.0.0.1:{self.port}"

    @property
    def cpu_s(self) -> float:
        """What it has cost so far."""
        return costs.cpu_s(self.process.pid)

    @property
    def memory_mib(self) -> float:
        """What it holds."""
        return costs.memory_mib(self.process.pid)


@dataclass
class Rig:
    """Starts what a comparison needs, in a folder of its own."""

    folder: Path
    ports: range | None = None
    """Ports to take; any free ones unless told."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Lines of PostgreSQL's configuration, beside those it always has."""
    stack: ExitStack = field(default_factory=ExitStack)
    _postgres: PostgresServer | None = None
    _databases: int = 0
    _provider: tuple[int, subprocess.Popen[bytes]] | None = None

    def __enter__(self) -> Self:
        """Begin with nothing started."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all that was started."""
        self.stack.close()

    def port(self) -> int:
        """Return a free port."""
        for port in self.ports or (0,):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                found: int = probe.getsockname()[1]
                if self.ports:
                    self.ports = range(port + 1, self.ports.stop)
                return found
        raise click.ClickException("no port is free")

    def spawn(
        self, name: str, command: Sequence[str | Path], environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program whose output goes into a file of its name; it is ended with the rig."""
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(environ), cwd=ROOT)
        self.stack.callback(end, process)
        return process

    def log(self, name: str) -> Path:
        """Return the file that a program's output goes to."""
        return self.folder / f"{name}.log"

    def wait(self, name: str, process: subprocess.Popen[bytes], sentence: str, times: int = 1) -> None:
        """Wait until a program has written these words, each of its workers for itself."""
        until = time.monotonic() + PATIENCE_S
        while (said := self.log(name).read_text(encoding="utf-8")).count(sentence) < times:
            if process.poll() is not None or time.monotonic() > until:
                raise click.ClickException(f"{name} does not serve: {said[-2000:]}")
            time.sleep(_LOOK_EVERY_S)

    @property
    def origin(self) -> str:
        """Where the provider is, and what takes telemetry; started when first asked for."""
        if self._provider is None:
            self.provider_starts()
        assert self._provider is not None
        return f"http://127.0.0.1:{self._provider[0]}"

    @property
    def provider_cpu_s(self) -> float:
        """What the provider has cost so far."""
        return costs.cpu_s(self._provider[1].pid) if self._provider else 0.0

    def provider_starts(self) -> None:
        """Start the provider, where it was before if it was there."""
        nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if nginx is None:
            raise click.ClickException(
                "nginx plays the provider and is not here; on Debian, apt-get install nginx"
            )
        port = self._provider[0] if self._provider else self.port()
        text = (HERE / "nginx.conf").read_text(encoding="utf-8")
        file = self.folder / "nginx.conf"
        file.write_text(text.replace("FOLDER", str(self.folder)).replace("PORT", str(port)), encoding="utf-8")
        process = self.spawn("provider", [nginx, "-e", "stderr", "-c", file])
        self._provider = port, process
        until = time.monotonic() + PATIENCE_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise click.ClickException(self.log("provider").read_text(encoding="utf-8"))
            time.sleep(_LOOK_EVERY_S)

    def provider_ends(self) -> None:
        """Take the provider away."""
        if self._provider:
            end(self._provider[1])

    def database(self) -> str:
        """Return the URL of a new database in a PostgreSQL that waits for its disk, as in production."""
        self._databases += 1
        name = f"bench_{self._databases}"
        ask_postgres(self.server.url(), f"CREATE DATABASE {name}")
        return self.server.url(name)

    @property
    def server(self) -> PostgresServer:
        """The PostgreSQL; started when first asked for."""
        if self._postgres is None:
            if not has_postgres():
                raise click.ClickException(
                    "PostgreSQL's programs are not here; on Debian, apt-get install postgresql"
                )
            settings = {
                "fsync": "on",
                "max_connections": "400",
                "shared_buffers": "256MB",
                "max_wal_size": "4GB",
            }
            self._postgres = PostgresServer(settings | dict(self.settings))
            self.stack.callback(self._postgres.remove)
            self._postgres.start()
        return self._postgres

    @property
    def postgres_cpu_s(self) -> float:
        """What PostgreSQL has cost so far."""
        process = self._postgres.process if self._postgres else None
        return costs.cpu_s(process.pid) if process else 0.0


def ask_postgres(url: str, statement: str) -> list[list[str]]:
    """Return the rows that a statement gives, as texts."""
    command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line.split("|") for line in told.splitlines()]


def load_program() -> Path:
    """Return the program that makes the calls, built by Go if it is not there or older than its text."""
    built = ROOT / "build/load"
    texts = [*(HERE / "load").iterdir()]
    if not built.exists() or built.stat().st_mtime < max(text.stat().st_mtime for text in texts):
        if shutil.which("go") is None:
            raise click.ClickException(
                "Go builds the program that makes the calls and is not here: https://go.dev/dl"
            )
        built.parent.mkdir(exist_ok=True)
        made = subprocess.run([*_GO, built, "."], cwd=HERE / "load", check=False)
        if made.returncode:
            raise click.ClickException("Go could not build tests/bench/compare/load.")
    return built


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
