"""Proves that what stands here can be released: `make release-check`.

What is built is built twice, from two copies of the last commit at different places, and must be the same to
the byte. The wheels are then installed from the pins into fresh environments of each Python that is here, and
play the demo there. Where there is no such Python, or no container engine, that is said and not proved.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import click

from deploy.release_notes import ROOT, NotReleasable, notes, versions

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""What the wheels say they run on."""
BLOCK = 30
"""More ports than a sandbox takes, one after the other."""
ENGINES = ("docker", "podman")
RECIPE = Path("deploy/Dockerfile")
BUILDING_S, PLAYING_S = 900, 300


def run(*command: str | Path, within: Path = ROOT, limit_s: float = BUILDING_S) -> str:
    """Run a program and return what it said; raise NotReleasable with the end of it when it fails."""
    try:
        ran = subprocess.run(  # noqa: S603 - the programs are those named here, or by whoever releases
            [str(one) for one in command],
            cwd=within,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotReleasable(f"{Path(command[0]).name} was not done after {limit_s:.0f} s") from None
    if ran.returncode:
        last = "\n".join((ran.stdout + ran.stderr).strip().splitlines()[-12:])
        raise NotReleasable(f"{' '.join(map(str, command))} ended with {ran.returncode}:\n{last}")
    return ran.stdout


def differing(one: Path, other: Path) -> list[str]:
    """Return the names of files that two folders do not have alike, to the byte."""
    sums = [
        {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
        for folder in (one, other)
    ]
    return sorted(name for name in sums[0] | sums[1] if sums[0].get(name) != sums[1].get(name))


def built(into: Path) -> Path:
    """Build the last commit in a clone of it below `into`; return the folder with what came of it."""
    run("git", "clone", "--quiet", "--no-hardlinks", ROOT, into)
    run("make", "dist", f"PYTHON={sys.executable}", within=into)
    return into / "dist"


def must_be_whole(dist: Path) -> str:
    """Check the checksums and the list of parts of a built folder."""
    lines = (dist / "SHA256SUMS").read_text().splitlines()
    listed = {name: told for told, name in (line.split(maxsplit=1) for line in lines)}
    there = {file.name for file in dist.iterdir()} - {"SHA256SUMS"}
    if listed.keys() != there:
        raise NotReleasable(f"SHA256SUMS does not list just what was built: {sorted(listed.keys() ^ there)}")
    for name, told in listed.items():
        if hashlib.sha256((dist / name).read_bytes()).hexdigest() != told:
            raise NotReleasable(f"the checksum of {name} is another")
    (parts,) = dist.glob("*.cdx.json")
    bill = json.loads(parts.read_text())
    if bill.get("bomFormat") != "CycloneDX" or not bill.get("components"):
        raise NotReleasable(f"{parts.name} is no list of parts in CycloneDX")
    return f"{len(listed)} files, {len(bill['components'])} parts listed"


def interpreters(named: Sequence[str]) -> Mapping[str, str]:
    """Return the interpreter of each version that can be run: those named, and those on the path."""
    found: dict[str, str] = {}
    for candidate in (*named, *(f"python{version}" for version in PYTHONS)):
        ask = (candidate, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])")
        try:
            version = run(*ask).strip()
        except (NotReleasable, OSError):
            if candidate in named:
                raise NotReleasable(f"{candidate} is no Python that makes environments") from None
            continue
        found.setdefault(version, candidate)
    return found


def played(interpreter: str, dist: Path, folder: Path) -> str:
    """Install the wheels from the pins into a fresh environment, and play the demo there."""
    run(interpreter, "-m", "venv", folder / "venv")
    pip = (folder / "venv/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    run(*pip, "--only-binary", ":all:", "--require-hashes", "-r", ROOT / "deploy/requirements/runtime.txt")
    run(*pip, "--no-index", "--no-deps", *sorted(dist.glob("*.whl")))
    program = folder / "venv/bin/giftcard-gateway"
    version = run(program, "--version").split()[-1]
    run(program, "demo", "--address", f"127.0.0.1:{free_ports()}", within=folder, limit_s=PLAYING_S)
    return f"{version} installed from pins and played the demo"


def free_ports() -> int:
    """Return the first of as many free ports as a sandbox takes."""
    for first in range(20_000, 32_000, 2 * BLOCK):
        try:
            for port in range(first, first + BLOCK):
                with socket.socket() as tried:
                    tried.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise NotReleasable("no ports are free for a sandbox")


def image(engine: str, folder: Path) -> str:
    """Build the image twice without caches; it must be the same."""
    ids = []
    for number in (1, 2):
        told = folder / f"image{number}"
        epoch = run("git", "log", "-1", "--format=%ct").strip()
        run(
            *(engine, "build", "--no-cache", "--build-arg", f"SOURCE_DATE_EPOCH={epoch}"),
            *("--iidfile", told, "--file", RECIPE, "."),
        )
        ids.append(told.read_text())
    if ids[0] != ids[1]:
        raise NotReleasable("the image is another when it is built again")
    return ids[0]


def proofs(tag: str, named: Sequence[str], folder: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """Give each proof by its name; it returns what it found, or raises NotReleasable."""

    def changelog() -> str:
        lines = notes(tag, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), versions()).splitlines()
        return f"{len(lines)} lines"

    def clean() -> str:
        if changed := run("git", "status", "--porcelain").strip():
            raise NotReleasable(f"not everything is committed:\n{changed}")
        return run("git", "rev-parse", "--short", "HEAD").strip()

    def twice() -> str:
        one, other = built(folder / "one"), built(folder / "farther" / "other")
        if names := differing(one, other):
            raise NotReleasable(f"built again they are others: {', '.join(names)}")
        return must_be_whole(one)

    def contract() -> str:
        run(sys.executable, "protos/contract.py", "breaking")
        return "no caller of the last release breaks"

    yield f"changelog of {tag}", changelog
    yield "everything is committed", clean
    yield "contract", contract
    yield "built twice", twice
    found = interpreters(named)
    for version in PYTHONS:
        if version in found:
            place = folder / version
            place.mkdir()
            yield f"Python {version}", partial(played, found[version], folder / "one/dist", place)
        else:
            yield f"Python {version}", lambda: "not proved: it is not here"
    engine = next((one for one in ENGINES if shutil.which(one)), None)
    if engine is None or not (ROOT / RECIPE).exists():
        yield "image", lambda: f"not proved: none of {', '.join(ENGINES)} is here"
    else:
        yield "image", lambda: image(engine, folder)


@click.command()
@click.option("--tag", help="The tag to come, as in v1.2.3; the version in pyproject.toml unless told.")
@click.option(
    "--python", "pythons", multiple=True, metavar="PROGRAM", help="A Python beside those on the path."
)
def main(tag: str | None, pythons: tuple[str, ...]) -> None:
    """Prove that the last commit can be released; 1 with a sentence where it cannot."""
    tag = tag or f"v{versions()['pyproject.toml']}"
    failed = False
    with tempfile.TemporaryDirectory(prefix="giftcard-release-") as folder:
        for name, prove in proofs(tag, pythons, Path(folder)):
            began_s = time.monotonic()
            click.echo(f"{name} … ", nl=False)
            try:
                told = prove()
            except NotReleasable as fault:
                failed, told = True, f"no: {fault}"
            click.echo(f"{told} ({time.monotonic() - began_s:.0f} s)")
    sys.exit(failed)


if __name__ == "__main__":
    main()
