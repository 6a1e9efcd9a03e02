"""A private PostgreSQL for tests, made from the programs on this machine and gone afterwards.

One server serves a test process; each test takes a fresh, empty database in it. Nothing listens on a
network: the socket lies in a folder of the server's own.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from tests.patience import PATIENCE_S


@dataclass
class PostgresServer:
    """One private server. `settings` are lines of its postgresql.conf."""

    settings: dict[str, str] = field(default_factory=dict)
    folder: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _names: Iterator[int] = field(default_factory=itertools.count, init=False)

    def __post_init__(self) -> None:
        """Make the cluster, without starting it."""
        # Not below pytest's folders: those are closed to the user the server must run as.
        self.folder = Path(tempfile.mkdtemp(prefix="giftcard-pg-"))
        if (user := server_user()) is not None:
            shutil.chown(self.folder, user)
        self._run(
            program("initdb"),
            "-D",
            self.data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
            "--no-locale",
        )
        lines = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            # Tests kill processes, not machines; a test of the disk says otherwise.
            "fsync": "off",
            "autovacuum_naptime": "5s",
        } | self.settings
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in lines.items())

    @property
    def data(self) -> Path:
        """The cluster's own folder."""
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        """Return how to reach one database."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*as_server_user(), program("postgres"), "-D", self.data], stdout=log, stderr=log
            )
        until = time.monotonic() + PATIENCE_S
        while self._is_deaf():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self.folder / "log").read_text(encoding="utf-8"))
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server; SIGINT is a fast shutdown, SIGQUIT is as a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(PATIENCE_S)
            self.process = None

    def remove(self) -> None:
        """End the server and delete all it kept."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    async def create_database(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"test_{next(self._names)}"
        await self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    async def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the owner of the server."""
        connection = await asyncpg.connect(self.url(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _is_deaf(self) -> bool:
        asked = subprocess.run([program("pg_isready"), "-q", "-h", self.folder], check=False)
        return asked.returncode != 0

    def _run(self, *command: str | Path) -> None:
        subprocess.run([*as_server_user(), *command], check=True, capture_output=True, cwd=self.folder)


@contextmanager
def serving(settings: dict[str, str] | None = None) -> Iterator[PostgresServer]:
    """Run a server until the block ends; `settings` are lines of its postgresql.conf."""
    server = PostgresServer(settings or {})
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Give a running server; use it with the marker `postgres`, which skips where there is none."""
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def fragile_server() -> Iterator[PostgresServer]:
    """Give a server that the tests of one module may stop, slow, kill or misconfigure."""
    with serving() as server:
        yield server


def program(name: str) -> str:
    """Find one of PostgreSQL's programs; Debian keeps them off the PATH."""
    found = shutil.which(name)
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return found or str(newest[-1])


def server_user() -> str | None:
    """Name the user to run as; PostgreSQL refuses root, and anyone else runs it as themselves."""
    return "postgres" if os.getuid() == 0 else None


def as_server_user() -> list[str]:
    """Return what to put before a command to run it as that user, under its own pid.

    Not Popen's `user`: it makes Python fork and run code in the child, and gRPC's threads do not
    survive that.
    """
    user = server_user()
    return [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
