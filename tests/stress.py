"""Runs tests on a machine made bad on purpose: busy loops beside them, and processes that stand still.

    .venv/bin/python -m tests.stress -n 2 tests/e2e

Words that it does not know go to pytest. A test that fails here and passes alone depends on a quiet machine.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

_SHORTEST_S = 0.1


@click.command(context_settings={"ignore_unknown_options": True}, help=__doc__)
@click.option("--busy", default=6, help="How many busy loops compete for the processors.")
@click.option("--longest", default=3.0, help="How many seconds a process stands still at most.")
@click.option("--every", default=1.0, help="How many seconds lie between two stops, on average.")
@click.option("--seed", default=0, help="Decides who is stopped and when; 0 draws one.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def main(busy: int, longest: float, every: float, seed: int, words: tuple[str, ...]) -> None:
    """Run pytest under the strain that was asked for, and end with its exit code."""
    seed = seed or random.SystemRandom().randrange(1, 1_000_000)
    click.echo(f"{busy} busy loops, stops of up to {longest} s, seed {seed}")
    # Asked to end, it ends what it started too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with contextlib.ExitStack() as stack:
        for _ in range(busy):
            stack.enter_context(started("-c", "while True: pass"))
        run = stack.enter_context(started("-m", "pytest", *words))
        stops = disturb(run, random.Random(seed), every, longest)
        click.echo(f"{stops} stops")
        sys.exit(run.wait())


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start Python; ask it to end when the block does, as a supervisor would."""
    process = subprocess.Popen([sys.executable, *arguments])
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def disturb(run: subprocess.Popen[bytes], chance: random.Random, every_s: float, longest_s: float) -> int:
    """Stop a random process of the run now and again until the run is over; return how often."""
    stops = 0
    while run.poll() is None:
        time.sleep(chance.expovariate(1 / every_s))
        candidates = sorted(below(run.pid))
        if candidates and longest_s > _SHORTEST_S:
            stops += stand_still(chance.choice(candidates), chance.uniform(_SHORTEST_S, longest_s))
    return stops


def stand_still(pid: int, seconds: float) -> bool:
    """Stop a process for a while; return False if it has ended or somebody else has stopped it."""
    try:
        if state_and_parent(pid)[0] in "TtZX":
            return False
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)
    except (OSError, ValueError):  # it ended meanwhile
        return False
    return True


def below(root: int) -> Iterator[int]:
    """Yield a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for at in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            children.setdefault(state_and_parent(int(at.name))[1], []).append(int(at.name))
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, [])


def state_and_parent(pid: int) -> tuple[str, int]:
    """Read a process's state, of which T is stopped and Z is dead, and its parent."""
    state, parent, *_ = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return state, int(parent)


if __name__ == "__main__":
    main()
