"""Runs tests on a machine made bad on purpose: busy loops beside them, processes that stand still.

    .venv/bin/python -m tests.stress tests/e2e -n 2

Words that it does not know go to pytest. A test that fails here and passes alone depends on a quiet machine.
"""

from __future__ import annotations

import argparse
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

SPIN = "while True: pass"


def main(words: list[str] | None = None) -> int:
    """Run pytest under the strain that was asked for, and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__.splitlines()[0])
    parser.add_argument("--busy", type=int, default=6, help="how many busy loops compete for the processors")
    parser.add_argument(
        "--longest", type=float, default=3.0, help="seconds that a stop lasts at most; 0 is none"
    )
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two stops, on average")
    parser.add_argument("--seed", type=int, default=None, help="the seed of who is stopped, and when")
    ours, theirs = parser.parse_known_args(words)
    seed = ours.seed if ours.seed is not None else random.SystemRandom().randrange(1_000_000)
    click.echo(f"stress: {ours.busy} busy loops, stops up to {ours.longest} s, seed {seed}")
    # Asked to end, it ends what it started too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with contextlib.ExitStack() as stack:
        for _ in range(ours.busy):
            stack.enter_context(killed(subprocess.Popen([sys.executable, "-c", SPIN])))
        run = subprocess.Popen([sys.executable, "-m", "pytest", *theirs])
        stack.enter_context(killed(run))
        stops = disturb(run, random.Random(seed), ours.every, ours.longest)
        click.echo(f"stress: {stops} stops")
        return run.wait()


def disturb(run: subprocess.Popen[bytes], chance: random.Random, every_s: float, longest_s: float) -> int:
    """Stop a random process of the run now and again until the run is over; return how often."""
    stops = 0
    while run.poll() is None:
        time.sleep(chance.expovariate(1 / every_s))
        if longest_s and (candidates := sorted(below(run.pid))):
            stops += stand_still(chance.choice(candidates), chance.uniform(0.1, longest_s))
    return stops


def stand_still(pid: int, seconds: float) -> bool:
    """Stop a process for a while, unless a test stopped it already; tell whether it was."""
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
    """Find every process that descends from one, and that one."""
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
    """Read a process's state (T is stopped, Z is dead) and its parent."""
    state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return state, int(parent)


@contextlib.contextmanager
def killed(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill a process when the block ends."""
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
