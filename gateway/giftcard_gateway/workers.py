"""Several gateway processes on one port: started afresh, watched, replaced when one dies.

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

from giftcard_gateway import process
from giftcard_gateway.server import hold_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.context import SpawnProcess
    from types import FrameType

    from giftcard_gateway.config import Settings

# gRPC's threads do not survive a fork, so every worker starts from nothing.
_SPAWN = multiprocessing.get_context("spawn")
_CANNOT_START = 2
_AGAIN_S = 1.0
"""How long to wait before a worker that could not be replaced is tried again: its journal may be away."""


class WorkerFailed(Exception):
    """A worker could not start; it has said why itself."""


def supervise(settings: Settings, environ: Mapping[str, str], complain: Callable[[list[str]], None]) -> None:
    """Run `settings.server.workers` processes until SIGTERM or SIGINT, and replace any that dies.

    Raises PortTaken, or WorkerFailed when one of the first workers cannot start. A replacement that
    cannot is tried again: the others may hold outcomes that no journal has yet.
    """
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for worker in workers:
            worker.terminate()

    def start() -> SpawnProcess:
        worker = _SPAWN.Process(target=_work, args=(settings, dict(environ), complain))
        worker.start()
        return worker

    with hold_port(settings.server.listen):
        first = workers = [start() for _ in range(settings.server.workers)]
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        while workers:
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
                workers += [start() for _ in ended]


def _work(settings: Settings, environ: dict[str, str], complain: Callable[[list[str]], None]) -> None:
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    try:
        with process.telemetry(settings, environ) as watched:
            process.run(process.serve(settings, watched))
    except process.CANNOT_START as fault:
        complain([str(fault)])
        sys.exit(_CANNOT_START)


def _end_with_supervisor() -> None:
    """Drain when the supervisor was killed: nobody would replace us, and its port would stay taken."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)
