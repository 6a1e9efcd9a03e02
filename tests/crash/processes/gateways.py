"""Real gateway processes: started from a configuration file, killed, paused, started again.

Nothing here asks a gateway for anything but its health. Every process is ended by its own id.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from tests.e2e.processes import environment, free_port
from tests.patience import PATIENCE_S
from tests.world.app import HASH_KEY, HOST, KEY
from tests.world.release import found_in

CONFIRM_BY_S = 1.5
LEASE_MARGIN_S = 1.0
_ANSWER_S = 10.0
"""How long one look at its health may take; it is looked at again."""
HURRIED: Mapping[str, object] = {
    "confirm_by_s": CONFIRM_BY_S,
    "confirm_grace_s": 0.5,
    "retry_base_s": 0.05,
    "retry_cap_s": 0.5,
    "lease_margin_s": LEASE_MARGIN_S,
    "circuit_cooldown_s": 0.5,
    "settling_s": 3.0,
}
"""Everything that is minutes at a till is seconds here; the code that counts them is the same."""
_CANNOT_START = 2
_POLL_S = 0.05


class StartFailed(Exception):
    """A gateway did not come to serve; the text ends with its log's last lines."""


def write_config(
    path: Path, journal_url: str, stanzas: Mapping[str, dict[str, object]], terms: Mapping[str, object]
) -> None:
    """Write a gateway.toml."""
    tables: dict[str, Mapping[str, object]] = {
        "server": {"drain_s": 2.0},
        "journal": {"url": journal_url, "pool_size": 4, "connect_timeout_s": 2.0, "statement_timeout_s": 2.0},
        "seal": {"active": "crash", "hash_key": HASH_KEY},
        "seal.keys": {"crash": KEY},
        "telemetry": {"log_format": "json"},
    }
    for provider_id, stanza in stanzas.items():
        own = dict(stanza)
        tables[f"providers.{provider_id}.settings"] = _table(own.pop("settings"))
        tables[f"providers.{provider_id}"] = own
        tables[f"providers.{provider_id}.terms"] = terms
    lines = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _toml(value: object) -> str:
    """Return a value as TOML: JSON's texts, numbers and lists are TOML's too, its objects are not."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


def _table(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("a stanza's settings are a table")
    return value


@dataclass
class Restart:
    """One death and what came after it."""

    died_at: datetime
    restarted_at: datetime


@dataclass
class Gateway:
    """One gateway on one port, which dies and comes back; `workers` processes behind the port."""

    config: Path
    folder: Path
    name: str
    workers: int = 1
    port: int = field(default_factory=free_port)
    restarts: list[Restart] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    release: Path | None = None
    """Where the packages of the release are that it runs from its next life on; None is this one."""
    orphaned: list[int] = field(default_factory=list)
    """Groups whose supervisor was killed alone; their workers end by themselves, and here at the latest."""

    @property
    def address(self) -> str:
        """Where callers reach it."""
        return f"{HOST}:{self.port}"

    @property
    def log(self) -> str:
        """What all its lives have written so far."""
        path = self.folder / f"{self.name}.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def spawn(self) -> None:
        """Start the process, without waiting for it; its group is its own, so that all of it can be ended."""
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "giftcard_gateway", "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(
                    {
                        **found_in(self.release),
                        "GIFTCARD_GATEWAY__SERVER__LISTEN": self.address,
                        "GIFTCARD_GATEWAY__SERVER__WORKERS": str(self.workers),
                    }
                ),
                start_new_session=True,
            )

    async def start(self) -> None:
        """Start and wait until it serves; one that cannot start yet (its journal is away) is tried again."""
        self.spawn()
        until = asyncio.get_running_loop().time() + PATIENCE_S
        while not await self.is_serving():
            ended = self.process.poll() if self.process else None
            if ended == _CANNOT_START:
                await asyncio.sleep(_POLL_S)
                self.spawn()
            if ended not in {None, _CANNOT_START} or asyncio.get_running_loop().time() > until:
                raise StartFailed(
                    f"{self.name} serves not within {PATIENCE_S} s (ended: {ended}): {self.log[-2000:]}"
                )
            await asyncio.sleep(_POLL_S)

    async def is_serving(self) -> bool:
        """Ask its health check."""
        return await self.health() == HealthCheckResponse.SERVING

    async def health(self) -> int | None:
        """Return what its health check says; None when nobody answers."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=HealthCheckRequest.SerializeToString,
                response_deserializer=HealthCheckResponse.FromString,
            )
            try:
                answer = await check(HealthCheckRequest(), timeout=_ANSWER_S)
            except grpc.aio.AioRpcError:
                return None
            return answer.status

    def workers_alive(self) -> list[int]:
        """Return the process ids of the workers behind the port; none when it is one process."""
        if self.process is None:
            return []
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            pids = [int(pid) for pid in children.read_text().split()]
            return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        except OSError:
            return []

    async def kill(self) -> datetime:
        """Kill all of it at once, as a machine that loses power; return when."""
        died_at = datetime.now(UTC)
        if self.process is not None:
            _signal_group(self.process.pid, signal.SIGKILL)
            await asyncio.to_thread(self.process.wait)
        return died_at

    async def kill_alone(self) -> datetime:
        """Kill the process and not its workers; return when."""
        died_at = datetime.now(UTC)
        if self.process is not None:
            self.orphaned.append(self.process.pid)
            self.process.kill()
            await asyncio.to_thread(self.process.wait)
        return died_at

    async def come_back(self, died_at: datetime, after_s: float) -> None:
        """Start again a while after a death, and remember both."""
        await asyncio.sleep(after_s)
        restarted_at = datetime.now(UTC)
        await self.start()
        self.restarts.append(Restart(died_at, restarted_at))

    def pause(self) -> None:
        """Stop it in its tracks, so that its leases run out while it holds them."""
        if self.process is not None:
            _signal_group(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on as if nothing had happened."""
        if self.process is not None:
            _signal_group(self.process.pid, signal.SIGCONT)

    def remove(self) -> None:
        """End all of it for good; safe to repeat."""
        for pid in self.orphaned:
            _signal_group(pid, signal.SIGKILL)
        self.orphaned.clear()
        if self.process is not None:
            _signal_group(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE_S)
            self.process = None


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
