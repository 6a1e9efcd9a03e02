"""Runs several gateway processes on one port, and replaces those that die.

Each process is a whole gateway; the kernel spreads connections over them (SO_REUSEPORT). They share
a PostgreSQL journal, and nothing else. SIGHUP, or a change of the configuration's files where they are
watched, is passed on to each; what takes a dead one's place starts with the configuration taken last.
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
from giftcard_gateway.config.changes import fixed, taken
from giftcard_gateway.config.origin import RereadRefused, Watch
from giftcard_gateway.errors import OperatorError
from giftcard_gateway.process import loop, serving
from giftcard_gateway.rpc.server import hold_port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.context import SpawnProcess
    from types import FrameType

    from giftcard_gateway.config.origin import SettingsOrigin
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
    origin: SettingsOrigin,
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
    told: set[SpawnProcess] = set()
    stopping = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        told.update(workers)
        for worker in workers:
            _end(worker, number)

    with hold_port(settings.server.listen) as held:
        start = _Start(_on_port(settings, held.getsockname()[1]), origin, started, complain, stop)
        hangups = _Hangups(origin)
        signal.signal(signal.SIGTERM, stop)
        for number in range(settings.server.workers):
            workers.append(start(str(number)))  # noqa: PERF401 - for `stop`
        first = tuple(workers)
        while workers:
            if stopping:
                _tell_late(workers, told)
            hangups.pass_on(workers, start)
            ended = [worker for worker in workers if worker.exitcode is not None]
            workers = [worker for worker in workers if worker not in ended]
            failed = [worker for worker in ended if worker.exitcode == _CANNOT_START]
            if any(worker in first for worker in failed):
                stop(signal.SIGINT, None)
                for worker in workers:
                    worker.join()
                raise WorkerFailed("a worker could not start")
            if failed and not stopping:
                wait([worker.sentinel for worker in workers], _AGAIN_S)
            if not stopping:
                workers += [start(worker.name) for worker in ended]
        loop.hear_no_more()


def _tell_late(workers: list[SpawnProcess], told: set[SpawnProcess]) -> None:
    """End the one that was being started when the signal came; a second SIGTERM would hurry the others."""
    for worker in set(workers) - told:
        told.add(worker)
        worker.terminate()


def _end(worker: SpawnProcess, number: int) -> None:
    """Pass SIGTERM on; SIGINT too, which alone a worker that is not yet up would not hear."""
    worker.terminate()
    if number == signal.SIGINT and worker.pid is not None and worker.exitcode is None:
        os.kill(worker.pid, signal.SIGINT)


def _on_port(settings: Settings, port: int) -> Settings:
    """Return the settings with the port that is held: port 0 left the choice to the system."""
    host = settings.server.listen.rpartition(":")[0]
    server = msgspec.structs.replace(settings.server, listen=f"{host}:{port}")
    return msgspec.structs.replace(settings, server=server)


class _Start:
    """Starts workers, by the configuration of the day."""

    def __init__(
        self,
        settings: Settings,
        origin: SettingsOrigin,
        started: Callable[[App], None],
        complain: Callable[[list[str]], None],
        stop: Callable[[int, FrameType | None], None],
    ) -> None:
        self._settings = settings
        self._origin = origin
        self._told = (started, complain)
        self._stop = stop

    def __call__(self, number: str) -> SpawnProcess:
        """Start a worker; its name is its number, from 0.

        Ctrl-C reaches every process of a terminal; it must not, before the worker listens. SIGHUP waits in it
        until it can be heard.
        """
        about = (int(number), self._settings, self._origin, *self._told)
        worker = _SPAWN.Process(target=_work, name=number, args=about)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        loop.hold_hangups()
        worker.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        signal.signal(signal.SIGINT, self._stop)
        return worker

    def renew(self) -> None:
        """Have the next ones start with what the configuration says now, if workers can take it.

        Whether they do each of them says itself. A provider that vanished they may have to keep, so the next
        ones know it too.
        """
        before = self._origin.as_read
        try:
            after = self._origin.read().settings
        except RereadRefused:
            return
        after = msgspec.structs.replace(after, providers={**before.providers, **after.providers})
        if not fixed(before, after):
            self._settings = taken(self._settings, after)
            self._origin = msgspec.structs.replace(self._origin, as_read=after)


class _Hangups:
    """Hears SIGHUP, and notices that the configuration's files changed where they are watched."""

    def __init__(self, origin: SettingsOrigin) -> None:
        self._reader, self._writer = multiprocessing.Pipe(duplex=False)
        self._origin = origin
        self._watch_s = origin.as_read.server.watch_s or None
        self._watch = Watch((origin.file,))
        if self._watch_s:
            self._look()
        signal.signal(signal.SIGHUP, self._hear)

    def pass_on(self, workers: list[SpawnProcess], start: _Start) -> None:
        """Wait until a worker has ended, or have all read anew because SIGHUP came or the files changed."""
        ready = wait([*(worker.sentinel for worker in workers), self._reader], self._watch_s)
        if self._reader in ready:
            while self._reader.poll():
                self._reader.recv_bytes()
        elif not ready and self._watch.has_changed():
            self._look()
        else:
            return
        start.renew()
        for worker in workers:
            if worker.pid is not None and worker.exitcode is None:
                os.kill(worker.pid, signal.SIGHUP)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._writer.send_bytes(b"1")

    def _look(self) -> None:
        try:
            self._watch.took(self._origin.read(self._watch.files).seen)
        except RereadRefused as fault:
            self._watch.took(fault.seen)


def _work(
    number: int,
    settings: Settings,
    origin: SettingsOrigin,
    started: Callable[[App], None],
    complain: Callable[[list[str]], None],
) -> None:
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    try:
        with serving.telemetry(settings, origin.environ, worker=number) as watched:
            loop.run(serving.serve(settings, watched, origin=origin, started=started))
    except OperatorError as fault:
        complain(list(fault.sentences))
        sys.exit(_CANNOT_START)


def _end_with_supervisor() -> None:
    """Drain when the supervisor was killed: nobody would replace us, and its port would stay taken."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)
