"""Starts our program as a person would, on ports of its own, and never leaves one running.

Every process has a folder: its data and what it said. It is stopped by its own id.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from giftcard_simulators.catalogue import PORT, SANDBOXES
from tests.patience import PATIENCE_S

PROGRAM = (sys.executable, "-m", "giftcard_gateway")
BLOCK = SANDBOXES[-1].port - PORT + 1
"""A sandbox takes its port and those above it up to its last simulator's."""
_FIRST, _LAST = 20_000, 32_000
"""Below the ports that outgoing connections are given."""
_LOOK_EVERY_S = 0.02


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this machine's environment without any variable that our program listens to.

    Nor one that keeps Python from storing bytecode, which an installed program has and starts quicker for.
    """
    ours = ("GIFTCARD_", "OTEL_", "GRPC_", "COLUMNS", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **(changes or {})}


def run(
    *arguments: str, folder: Path, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself, in `folder`."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=environment(environ),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@dataclass
class Running:
    """One process of ours that goes on until it is stopped."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def said(self) -> str:
        """What it wrote to standard output so far."""
        return (self.folder / "stdout").read_text(encoding="utf-8")

    @property
    def complained(self) -> str:
        """What it wrote to standard error so far."""
        return (self.folder / "stderr").read_text(encoding="utf-8")

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something the process does; fail with what it said if it ends or takes too long."""
        until = time.monotonic() + PATIENCE_S
        while not is_so():
            if self.process.poll() is not None or time.monotonic() > until:
                told = f"not within {PATIENCE_S} s; exit code {self.process.poll()}"
                raise AssertionError(f"{told}\n{self.said}\n{self.complained}")
            time.sleep(_LOOK_EVERY_S)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end and return the exit code."""
        return self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        """Ask it to stop, as a supervisor does, and return its exit code."""
        self.send(signal.SIGTERM)
        return self.ended()


@contextmanager
def started(*arguments: str, folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start a command in `folder`; stop it when the block ends, and kill what does not stop."""
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            [*PROGRAM, *arguments], cwd=folder, env=environment(environ), stdout=out, stderr=err
        )
    try:
        yield Running(process, folder)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a process of ours: kindly, and by force if it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port that is free together with the `BLOCK` above it, and differs between test processes."""
    place = (os.getpid() * 7919 + next(_TAKEN)) * BLOCK
    for offset in range(0, _LAST - _FIRST, BLOCK):
        port = _FIRST + (place + offset) % (_LAST - _FIRST - BLOCK)
        if port not in _GIVEN and all(_is_free(one) for one in range(port, port + BLOCK)):
            _GIVEN.append(port)
            return port
    raise AssertionError("no free ports")


def _numbers() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


_TAKEN = _numbers()
_GIVEN: deque[int] = deque(maxlen=64)
"""Given of late, and perhaps not listened on yet: whoever had to look further is not given them again."""


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
