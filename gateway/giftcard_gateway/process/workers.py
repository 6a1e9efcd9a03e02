"""Runs several gateway processes on one port, and replaces those that die.

Each process is a whole gateway; the kernel spreads connections over them (SO_REUSEPORT). They share
a PostgreSQL journal, and nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.config import Settings
from giftcard_gateway.errors import OperatorError
from giftcard_gateway.process import loop, serving
from giftcard_gateway.rpc.server import hold_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from multiprocessing.context import SpawnProcess
    from types import FrameType

    from giftcard_gateway.process.app import App

# gRPC's threads do not survive a fork, so every worker starts from nothing.
_SPAWN = multiprocessing.get_context("spawn")
_CANNOT_START = 2
_AGAIN_S = 1.0
"""How long to wait before a worker that could not be replaced is tried again: its journal may be away."""


class WorkerFailed(OperatorError):
    """A worker could not start; it has said why itself."""

    @property
    def sentences(self) -> Sequence[str]:
        """Nothing more to say."""
        return ()


def supervise(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    started: Callable[[App], None],
    complain: Callable[[list[str]], None],
) -> None:
    """Run `settings.server.workers` processes until SIGTERM or SIGINT, and replace any that dies.

    Each calls `started` when it answers, or `complain` when it cannot; both are functions of a module.
    Raises PortTaken, or WorkerFailed when one of the first workers cannot start. A replacement that
    cannot is tried again: the others may hold outcomes that no journal has yet.
    """
    workers: list[SpawnProcess] = []
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for worker in workers:
            worker.terminate()

    with hold_port(settings.server.listen) as held:
        about = (_on_port(settings, held.getsockname()[1]), dict(environ), started, complain)
        signal.signal(signal.SIGTERM, stop)
        for number in range(settings.server.workers):
            workers.append(_start(str(number), about, stop))  # noqa: PERF401 - for `stop`
        first = tuple(workers)
        while workers:
            if stopping:
                # Also the one that was being started when the signal came.
                stop(signal.SIGTERM, None)
            wait([worker.sentinel for worker in workers])
            ended = [worker for worker in workers if worker.exitcode is not None]
            workers = [worker for worker in workers if worker not in ended]
            failed = [worker for worker in ended if worker.exitcode == _CANNOT_START]
            if any(worker in first for worker in failed):
                stop(signal.SIGTERM, None)
                for worker in workers:
                    worker.join()
                raise WorkerFailed("a worker could not start")
            if failed and not stopping:
                wait([worker.sentinel for worker in workers], _AGAIN_S)
            if not stopping:
                workers += [_start(worker.name, about, stop) for worker in ended]


def _on_port(settings: Settings, port: int) -> Settings:
    """Return the settings with the port that is held: port 0 left the choice to the system."""
    host = settings.server.listen.rpartition(":")[0]
    server = msgspec.structs.replace(settings.server, listen=f"{host}:{port}")
    return msgspec.structs.replace(settings, server=server)


def _start(
    number: str, about: tuple[object, ...], stop: Callable[[int, FrameType | None], None]
) -> SpawnProcess:
    """Start a worker; its name is its number, from 0.

    Ctrl-C reaches every process of a terminal; it must not, before the worker listens.
    """
    worker = _SPAWN.Process(target=_work, name=number, args=(int(number), *about))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker.start()
    signal.signal(signal.SIGINT, stop)
    return worker


def _work(
    number: int,
    settings: Settings,
    environ: dict[str, str],
    started: Callable[[App], None],
    complain: Callable[[list[str]], None],
) -> None:
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    try:
        with serving.telemetry(settings, environ, worker=number) as watched:
            loop.run(serving.serve(settings, watched, started=started))
    except OperatorError as fault:
        complain(list(fault.sentences))
        sys.exit(_CANNOT_START)


def _end_with_supervisor() -> None:
    """Drain when the supervisor was killed: nobody would replace us, and its port would stay taken."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)
