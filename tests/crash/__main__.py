"""The simulation's command line: many seeds with progress, one seed with its story, the mutations.

python -m tests.crash                       the whole proof
python -m tests.crash --first 5000 --seeds 200
python -m tests.crash --replay 4711         one seed, with what happened to what was broken
python -m tests.crash --replay 4711 --about 1d13e0f8
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections import Counter as Count
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.crash import mutations
from tests.crash.simulation import Found, run_seed

MUTATION_SEEDS = 600
"""Within how many seeds every mutation must be caught."""
_MOST_STORIES = 3

_console = Console()


@click.command()
@click.option("--seeds", default=1_000, show_default=True, help="How many seeds to play.")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--jobs", default=0, help="Processes at once; 0 takes every core.")
@click.option("--mutants/--no-mutants", default=True, help="Whether to prove that mutations are caught.")
@click.option("--replay", type=int, help="Play this one seed and print what happened.")
@click.option("--about", default="", help="With --replay: a transaction id, or the beginning of one.")
@click.option("--mutation", type=click.Choice(mutations.names()), help="Break this rule first.")
def main(
    *, seeds: int, first: int, jobs: int, mutants: bool, replay: int | None, about: str, mutation: str | None
) -> None:
    """Play simulated worlds and say what did not hold."""
    if replay is not None:
        sys.exit(_replay(replay, about, mutation))
    workers = jobs or os.cpu_count() or 1
    broken = _play_all(range(first, first + seeds), workers)
    survivors = _hunt(workers) if mutants else 0
    sys.exit(1 if broken or survivors else 0)


def _replay(seed: int, about: str, mutation: str | None) -> int:
    found = _run(seed, mutation)
    _console.print(f"{found.plan}", highlight=False)
    for broken in found.broken:
        _console.print(f"{broken.subject} {broken.sentence}", style="bold red", highlight=False, markup=False)
    subjects = [subject for subject in dict.fromkeys(one.subject for one in found.broken) if subject] or [""]
    if about:
        subjects = sorted({event.subject for event in found.events if event.subject.startswith(about)})
    for subject in subjects[:_MOST_STORIES]:
        _tell(found, subject)
    return 1 if found.broken else 0


def _run(seed: int, mutation: str | None = None) -> Found:
    if mutation is None:
        return run_seed(seed)
    with mutations.applied(mutation):
        return run_seed(seed)


def _tell(found: Found, subject: str) -> None:
    _console.rule(f"seed {found.plan.seed}, transaction {subject or '(all)'}")
    for event in found.story(subject):
        _console.print(str(event), highlight=False, markup=False, soft_wrap=True)


def _slim(seed: int) -> Found:
    """Play a seed and leave its events behind unless they are needed."""
    found = run_seed(seed)
    if not found.broken:
        found.events = []
    return found


def _play_all(seeds: Sequence[int], workers: int) -> int:
    faults: Count[str] = Count()
    ends: Count[str] = Count()
    unresolved: Count[str] = Count()
    broken: list[Found] = []
    virtual_s = 0.0
    began = time.monotonic()
    with _progress() as progress, multiprocessing.Pool(workers) as pool:
        task = progress.add_task("seeds", total=len(seeds))
        for found in pool.imap_unordered(_slim, seeds, chunksize=4):
            faults += found.faults
            ends += found.ends
            unresolved += found.unresolved
            virtual_s += found.virtual_s
            if found.broken:
                broken.append(found)
            progress.advance(task)
    took_s = time.monotonic() - began
    for found in broken[:_MOST_STORIES]:
        _console.print(found.broken[0].sentence, style="bold red", highlight=False, markup=False)
        _tell(found, found.broken[0].subject)
        _console.print(f"Replay: python -m tests.crash --replay {found.plan.seed}", style="bold")
    _console.print(_table("faults survived", faults))
    _console.print(_table("how transactions ended", ends))
    _console.print(_table("why a person must look", unresolved))
    _console.print(
        f"{len(seeds)} seeds, {ends.total()} transactions, {virtual_s / 3600:,.0f} virtual hours in "
        f"{took_s:.0f} s ({len(seeds) / took_s:.1f} seeds/s), {len(broken)} broken"
    )
    if broken:
        _console.print(f"broken seeds: {sorted(found.plan.seed for found in broken)}", style="bold red")
    return len(broken)


def catch(mutation: str) -> tuple[str, int | None, str]:
    """Return a mutation, the first seed that catches it, and the sentence that did; None when none does."""
    for seed in range(MUTATION_SEEDS):
        found = _run(seed, mutation)
        if found.broken:
            return mutation, seed, found.broken[0].sentence
    return mutation, None, "SURVIVED"


def _hunt(workers: int) -> int:
    table = Table("mutation", "seeds needed", "caught because", title="mutations", title_justify="left")
    survivors = 0
    names = mutations.names()
    with _progress() as progress, multiprocessing.Pool(workers) as pool:
        task = progress.add_task("mutations", total=len(names))
        for mutation, seed, sentence in pool.imap(catch, names, chunksize=1):
            survivors += seed is None
            table.add_row(mutation, "none" if seed is None else str(seed + 1), sentence)
            progress.advance(task)
    _console.print(table)
    return survivors


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=_console,
    )


def _table(title: str, counts: Count[str]) -> Table:
    table = Table("what", "count", title=title, title_justify="left")
    for what, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        table.add_row(what, f"{count:,}")
    return table


if __name__ == "__main__":
    main()
