"""Build and test the client of every language against one gateway, and print the table of what came of it.

\b
    make clients                      every language, every step
    make clients ARGS="go rust"       these languages
    make clients ARGS="--step test"   these steps

A language is a folder here with a `steps.toml`:

\b
    name      what it is called in the table
    programs  what must be on the machine: without one of them its row says "missing", and the exit code is 1
    versions  a shell line that says in one line what builds it
    stubs     the committed folder that `generate` must write alike; left out where the build makes the stubs
    [steps]   a shell line for each: build, test and live are needed

\b
    generate  writes the stubs into $OUT, which are compared with `stubs`
    lint      the formatter and checkers of the language
    build     compiles
    test      unit tests, with all the vectors
    live      the tests against a gateway that runs; these variables are set for this step alone:
              GIFTCARD_TARGET    host:port of the gateway, without TLS
              GIFTCARD_SANDBOX   the address of Electrum's simulator behind it
              GIFTCARD_BREAKING  host:port of the same gateway, where connections are cut after 4 KiB
    package   what would be published, into $OUT; its files and their sizes stand in the table

Lines run in the language's folder, by `bash -euo pipefail -c`, in the order above; $OUT is a new folder.
After one that fails, the rest of its language is left out. What a step wrote is in
build/clients/LANGUAGE-STEP.log.
"""  # noqa: D301 - the mark by which click leaves lines as they are is the character itself

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import click
from rich.console import Console
from rich.table import Table

from clients.breaking import BreakingDoor

CLIENTS = Path(__file__).resolve().parent
LOGS = CLIENTS.parent / "build" / "clients"
STEPS = ("generate", "lint", "build", "test", "live", "package")
"""In the order they are taken; after one that fails, the rest of its language is left out."""
NEEDED = frozenset({"build", "test", "live"})
ELECTRUM = 10
"""How far above the gateway's port its simulator of Electrum listens."""
BREAKING = 30
"""How far above it connections are taken to be cut."""
_PATIENCE_S = 60.0
_TOLD_LINES = 40

_out = Console(soft_wrap=True)


@dataclass(frozen=True)
class Language:
    """One language, as its `steps.toml` tells it."""

    folder: Path
    name: str
    programs: Sequence[str]
    versions: str
    stubs: str
    steps: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Language:
        """Read a language; raise ClickException for a file that says too little or too much."""
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        steps = cast("dict[str, str]", told.pop("steps", {}))
        wrong = sorted((steps.keys() - set(STEPS)) | (NEEDED - steps.keys()))
        if wrong or told.keys() - {"name", "programs", "versions", "stubs"}:
            raise click.ClickException(f"{path}: {', '.join(wrong) or sorted(told)} is not as it should be.")
        return cls(
            path.parent, told["name"], told["programs"], told["versions"], told.get("stubs", ""), steps
        )

    @property
    def missing(self) -> Sequence[str]:
        """The programs that are not on this machine."""
        return [one for one in self.programs if shutil.which(one) is None]

    def version(self) -> str:
        """Say in one line what builds it."""
        done = _shell(self.versions, self.folder, {})
        return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else "?"


@dataclass
class Row:
    """What came of one language."""

    language: Language
    cells: dict[str, str] = field(default_factory=dict)
    sizes: list[str] = field(default_factory=list)
    is_good: bool = True


def languages(wanted: Sequence[str]) -> list[Language]:
    """Return the languages whose folders are named, or all; raise ClickException for a name nobody has."""
    found = {path.parent.name: path for path in sorted(CLIENTS.glob("*/steps.toml"))}
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise click.ClickException(f"no such language: {', '.join(unknown)}; there are {', '.join(found)}.")
    return [Language.read(path) for name, path in found.items() if not wanted or name in wanted]


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--step", "wanted", multiple=True, type=click.Choice(STEPS), help="Only this step; repeatable.")
@click.option("--present", is_flag=True, help="Leave out languages whose programs are not on this machine.")
@click.option("--port", default=51500, show_default=True, help="The port of the gateway that is started.")
def main(names: tuple[str, ...], wanted: tuple[str, ...], port: int, *, present: bool) -> None:
    """Take the steps, print the table, exit with 1 if anything failed or a program is missing."""
    LOGS.mkdir(parents=True, exist_ok=True)
    steps = [step for step in STEPS if not wanted or step in wanted]
    with gateway(port) if "live" in steps else _nothing():
        rows = [
            take(language, steps, port)
            for language in languages(names)
            if not (present and told_missing(language))
        ]
    show(rows, steps)
    sys.exit(0 if rows and all(row.is_good for row in rows) else 1)


def take(language: Language, steps: Sequence[str], port: int) -> Row:
    """Take the steps of one language until one fails."""
    row = Row(language)
    if told_missing(language):
        row.is_good = False
        row.cells[steps[0]] = "missing"
        return row
    for step in steps:
        if step not in language.steps:
            continue
        begun_s = time.monotonic()
        told = run_step(language, step, port, row)
        row.cells[step] = f"{time.monotonic() - begun_s:.0f} s" if told is None else "FAILED"
        _out.print(f"{language.name}: {step} {row.cells[step]}")
        if told is not None:
            row.is_good = False
            _out.print(told, markup=False)
            break
    return row


def told_missing(language: Language) -> bool:
    """Say which programs of a language are not on this machine; return whether any is not."""
    missing = language.missing
    if missing:
        _out.print(f"{language.name}: {', '.join(missing)} is not on this machine")
    return bool(missing)


def run_step(language: Language, step: str, port: int, row: Row) -> str | None:
    """Take one step; return what it complained of, or None when it went well."""
    with tempfile.TemporaryDirectory() as scratch:
        environ = {
            "OUT": scratch,
            "GIFTCARD_TARGET": f"127.0.0.1:{port}" if step == "live" else "",
            "GIFTCARD_SANDBOX": f"http://127.0.0.1:{port + ELECTRUM}" if step == "live" else "",
            "GIFTCARD_BREAKING": f"127.0.0.1:{port + BREAKING}" if step == "live" else "",
        }
        with breaking(port) if step == "live" else _nothing() as door:
            done = _shell(language.steps[step], language.folder, environ)
        log = LOGS / f"{language.folder.name}-{step}.log"
        log.write_text(done.stdout, encoding="utf-8")
        if done.returncode != 0:
            return "\n".join([*done.stdout.splitlines()[-_TOLD_LINES:], f"all of it: {log}"])
        if door and not door.cuts:
            return "no test went on after a cut: GIFTCARD_BREAKING was not used"
        if step == "generate" and language.stubs:
            stale = sorted(differences(Path(scratch), language.folder / language.stubs))
            return f"stale: {', '.join(stale)}" if stale else None
        if step == "package":
            row.sizes = [
                f"{path.name} {path.stat().st_size / 1000:,.0f} kB"
                for path in sorted(Path(scratch).rglob("*"))
                if path.is_file()
            ]
    return None


def differences(made: Path, committed: Path) -> Iterator[str]:
    """Yield the files that one of two folders lacks or has otherwise."""
    names = {
        path.relative_to(root).as_posix()
        for root in (made, committed)
        for path in root.rglob("*")
        if path.is_file()
    }
    _, wrong, lacking = filecmp.cmpfiles(made, committed, sorted(names), shallow=False)
    yield from (*wrong, *lacking)


@contextmanager
def gateway(port: int) -> Iterator[None]:
    """Serve a sandbox while the block runs."""
    program = Path(sys.executable).with_name("giftcard-gateway")
    with tempfile.TemporaryDirectory() as data, (LOGS / "gateway.log").open("w+", encoding="utf-8") as said:
        serve = [str(program), "serve", "--sandbox", "--port", str(port), "--data", data]
        process = subprocess.Popen(serve, stdout=said, stderr=subprocess.STDOUT)  # noqa: S603 - our own program
        try:
            until_s = time.monotonic() + _PATIENCE_S
            while "Ctrl-C stops" not in Path(said.name).read_text(encoding="utf-8"):
                if process.poll() is not None or time.monotonic() > until_s:
                    raise click.ClickException(f"the gateway does not serve on port {port}; see {said.name}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(_PATIENCE_S)


@contextmanager
def breaking(port: int) -> Iterator[BreakingDoor]:
    """Take connections to the gateway that are cut, while the block runs."""
    door = BreakingDoor(port + BREAKING, port)
    try:
        yield door
    finally:
        door.close()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def show(rows: Sequence[Row], steps: Sequence[str]) -> None:
    """Print the table: a language a line."""
    table = Table("language", *steps, "built with", "packages", title="make clients", title_justify="left")
    for row in rows:
        cells = [row.cells.get(step, "–" if row.is_good else "") for step in steps]
        built = "" if row.language.missing else row.language.version()
        table.add_row(row.language.name, *cells, built, "\n".join(row.sizes))
    Console(width=max(_out.width, 140)).print(table)


def _shell(line: str, folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the line is of our own repository
        ["/bin/bash", "-euo", "pipefail", "-c", line],
        cwd=folder,
        env={**os.environ, **{name: value for name, value in environ.items() if value}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    main()
