"""A primary and its standby under patroni, which asks etcd who may lead; all on this machine.

Both come from Debian (`apt-get install patroni etcd-server`) and run in the foreground, as the user
PostgreSQL wants, on loopback ports of their own. A machine is a patroni and all the processes below it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx

from tests.e2e.processes import free_port
from tests.patience import PATIENCE_S
from tests.postgres import as_server_user, program, server_user
from tests.world.app import HOST

TTL_S, LOOP_S, RETRY_S = 6, 1, 2
"""How long a leader may be silent, how often it says that it lives, how long it tries to say so."""
_POLL_S = 0.05
_DATABASE = "giftcard"


def missing_programs() -> str:
    """Return which programs a cluster needs and this machine has not, as a sentence; empty if none."""
    missing = [name for name in ("patroni", "etcd") if shutil.which(name) is None]
    return f"not on this machine: {', '.join(missing)}" if missing else ""


@dataclass
class Machine:
    """One patroni with its PostgreSQL."""

    name: str
    folder: Path
    etcd_port: int
    port: int = field(default_factory=free_port)
    api_port: int = field(default_factory=free_port)
    patroni: subprocess.Popen[bytes] | None = None

    def write_config(self, *, is_synchronous: bool, reached_at: int = 0) -> None:
        """Write patroni's configuration; JSON is YAML. The other machine may reach it at another port."""
        place = {"listen": f"{HOST}:{self.port}", "connect_address": f"{HOST}:{reached_at or self.port}"}
        own = {
            "scope": "giftcard",
            "name": self.name,
            "restapi": {"listen": f"{HOST}:{self.api_port}", "connect_address": f"{HOST}:{self.api_port}"},
            # Not etcd3: a patroni 3.0 that hung for a while goes on believing what it had cached of it.
            "etcd": {"host": f"{HOST}:{self.etcd_port}"},
            "bootstrap": {
                "dcs": {**_AGREED, "synchronous_mode": is_synchronous},
                "initdb": ["no-sync", {"encoding": "UTF8"}, {"locale": "C"}],
            },
            "postgresql": place
            | {
                "data_dir": str(self.folder / self.name),
                "bin_dir": str(Path(program("pg_controldata")).parent),
                "pgpass": str(self.folder / f"{self.name}.pgpass"),
                "authentication": {
                    "superuser": {"username": "postgres"},
                    "replication": {"username": "postgres"},
                },
                "pg_hba": [f"host {who} all {HOST}/32 trust" for who in ("all", "replication")],
                # Tests kill processes, not machines: what the kernel was given is not lost.
                "parameters": {"unix_socket_directories": "", "fsync": "off"},
            },
        }
        self._config.write_text(json.dumps(own), encoding="utf-8")

    @property
    def _config(self) -> Path:
        return self.folder / f"{self.name}.yml"

    @property
    def log(self) -> Path:
        """What patroni and PostgreSQL write."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Start patroni, which starts PostgreSQL as what it may be."""
        self.patroni = _spawn(["patroni", str(self._config)], self.log)

    def is_(self, role: str) -> bool:
        """Ask patroni whether this machine has a role now: `primary`, or `synchronous` standby."""
        try:
            return (
                httpx.get(f"http://{HOST}:{self.api_port}/{role}", timeout=2.0).status_code == httpx.codes.OK
            )
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End every process at once with -9, as a machine that loses power does."""
        for pid in self._processes():
            _signal(pid, signal.SIGKILL)
        if self.patroni is not None:
            self.patroni.wait(PATIENCE_S)
            self.patroni = None

    def freeze(self) -> None:
        """Stop every process in its tracks, as a machine that hangs does."""
        for pid in self._processes():
            _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let every process go on."""
        for pid in self._processes():
            _signal(pid, signal.SIGCONT)

    def _processes(self) -> list[int]:
        """Return patroni, the postmaster it left to itself, and all below them."""
        roots = [] if self.patroni is None else [self.patroni.pid]
        with contextlib.suppress(OSError, ValueError, IndexError):
            roots.append(int((self.folder / self.name / "postmaster.pid").read_text().split()[0]))
        children = _children()
        found: list[int] = []
        while roots:
            pid = roots.pop()
            if pid not in found:
                found.append(pid)
                roots += children.get(pid, [])
        return found


@dataclass
class Cluster:
    """Two machines, and the etcd they trust."""

    is_synchronous: bool = True
    """Whether a commit waits until the standby has it."""
    folder: Path = field(init=False)
    machines: list[Machine] = field(init=False)
    etcd: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        """Write down who is who; nothing is started yet."""
        # Not below pytest's folders: those are closed to the user the servers must run as.
        self.folder = Path(tempfile.mkdtemp(prefix="giftcard-ha-"))
        if (user := server_user()) is not None:
            shutil.chown(self.folder, user)
        self.etcd_port = free_port()
        self.machines = [Machine(name, self.folder, self.etcd_port) for name in ("one", "two")]

    @property
    def url(self) -> str:
        """How a gateway finds whichever machine may be written."""
        hosts = ",".join(f"{HOST}:{machine.port}" for machine in self.machines)
        return f"postgresql://postgres@{hosts}/{_DATABASE}?target_session_attrs=read-write"

    async def start(self, reached_at: Mapping[str, int] | None = None) -> None:
        """Start everything and wait for a primary with a standby.

        `reached_at` has the port where the other machine reaches one, by name, if it is not its own.
        """
        for machine in self.machines:
            port = (reached_at or {}).get(machine.name, 0)
            machine.write_config(is_synchronous=self.is_synchronous, reached_at=port)
        peers, clients = f"http://{HOST}:{free_port()}", f"http://{HOST}:{self.etcd_port}"
        self.etcd = _spawn(
            [
                *("etcd", "--enable-v2", "--name", "etcd", "--data-dir", str(self.folder / "etcd")),
                *("--listen-client-urls", clients, "--advertise-client-urls", clients),
                *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
                *("--initial-cluster", f"etcd={peers}"),
            ],
            self.folder / "etcd.log",
        )
        for machine in self.machines:
            machine.start()
        await asyncio.to_thread(self.wait_until_paired)
        session = await asyncpg.connect(self.url.replace(f"/{_DATABASE}?", "/postgres?"))
        await session.execute(f"CREATE DATABASE {_DATABASE}")
        await session.close()

    def primary(self) -> Machine | None:
        """Return the machine that leads, if one does."""
        return next((machine for machine in self.machines if machine.is_("primary")), None)

    def wait_until_paired(self) -> Machine:
        """Wait until one machine leads and the other follows it as it should; return the leader."""
        until = time.monotonic() + PATIENCE_S
        follows = "synchronous" if self.is_synchronous else "replica"
        while time.monotonic() < until:
            primary = self.primary()
            if primary and any(machine.is_(follows) for machine in self.machines):
                return primary
            time.sleep(_POLL_S)
        logs = "".join(machine.log.read_text(encoding="utf-8")[-2000:] for machine in self.machines)
        raise TimeoutError(f"no primary with a standby: {logs}")

    def remove(self) -> None:
        """End everything and delete all it kept."""
        for machine in self.machines:
            machine.kill()
        if self.etcd is not None:
            self.etcd.kill()
            self.etcd.wait(PATIENCE_S)
        shutil.rmtree(self.folder)


_AGREED: Mapping[str, object] = {
    "ttl": TTL_S,
    "loop_wait": LOOP_S,
    "retry_timeout": RETRY_S,
    # Where commits wait, only a standby that has them all may lead. Not strict: one machine alone goes on.
    "postgresql": {"use_pg_rewind": True},
}


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as stream:
        return subprocess.Popen(
            [*as_server_user(), *command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=log.parent,
            start_new_session=True,
        )


def _children() -> dict[int, list[int]]:
    """Return every process's children, as the kernel lists them now."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    return children


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in parentheses may hold anything; the parent is the second field after it.
            yield int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
