"""Writes the vendored advisories anew, from OSV's dump of all advisories for Python packages.

python -m deploy.audit.refresh [ALL.ZIP]

Without a file the dump is downloaded. OSV joins the databases of PyPA and GitHub (CC-BY 4.0); taken over are
ids, packages and versions, no texts. The day it writes is that of the newest record, whatever the clock says.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import msgspec
from packaging.utils import canonicalize_name

from deploy.audit.advisories import PATH, Advisories, Advisory, Range
from deploy.audit.pins import ROOT, locked

DUMP = "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"


class NotADump(Exception):
    """The file has no advisories for Python packages; the text says which file."""


class Package(msgspec.Struct):
    """Whose versions are meant."""

    name: str
    ecosystem: str


class Event(msgspec.Struct):
    """A version at which something begins or ends; one of the three."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None


class Versions(msgspec.Struct):
    """Some versions, as pairs of events in any order; of commits (GIT) too, which pin nothing."""

    type: str
    events: list[Event]


class Affected(msgspec.Struct):
    """One package of a record. Records on other things than packages leave it out."""

    package: Package | None = None
    ranges: list[Versions] = []
    versions: list[str] = []


class Record(msgspec.Struct):
    """What we read of a record; the format is OSV's schema."""

    id: str
    modified: datetime
    withdrawn: datetime | None = None
    aliases: list[str] = []
    affected: list[Affected] = []


def ranges(versions: Versions) -> Iterator[Range]:
    """Give each stretch that the events begin and end, in the order in which they stand."""
    begun: str | None = None
    for event in versions.events:
        if event.introduced is not None:
            if begun is not None:
                yield Range(begun)
            begun = event.introduced
        elif begun is not None:
            yield Range(begun, event.fixed, event.last_affected)
            begun = None
    if begun is not None:
        yield Range(begun)


def advisories(record: Record, names: frozenset[str]) -> Iterator[Advisory]:
    """Give what a record says of our packages; nothing when it was withdrawn."""
    for one in record.affected if record.withdrawn is None else ():
        if one.package is None or one.package.ecosystem != "PyPI":
            continue
        name = canonicalize_name(one.package.name)
        stretches = [
            each for versions in one.ranges if versions.type == "ECOSYSTEM" for each in ranges(versions)
        ]
        if name in names:
            yield Advisory(
                id=record.id,
                package=name,
                source="OSV",
                aliases=sorted(record.aliases),
                ranges=stretches,
                versions=[] if stretches else sorted(one.versions),
            )


def read(dump: Path, names: frozenset[str]) -> Advisories:
    """Read a dump; raise NotADump when it is none, msgspec.DecodeError for a record of another form."""
    newest: datetime | None = None
    found: list[Advisory] = []
    with zipfile.ZipFile(dump) as archive:
        for entry in archive.namelist():
            record = msgspec.json.decode(archive.read(entry), type=Record)
            newest = max(newest or record.modified, record.modified)
            found += advisories(record, names)
    if newest is None:
        raise NotADump(f"{dump} has no record")
    return Advisories(
        day=newest.date(),
        source="OSV, all records for Python packages",
        whole=True,
        packages=sorted(names),
        advisories=sorted(found, key=lambda one: (one.package, one.id)),
    )


def download(to: Path) -> None:
    """Fetch the dump; raise httpx.HTTPError when it cannot be had."""
    with httpx.stream("GET", DUMP, follow_redirects=True, timeout=60) as answer, to.open("wb") as file:
        answer.raise_for_status()
        for piece in answer.iter_bytes():
            file.write(piece)


def main(arguments: list[str]) -> int:
    """Write the file; 1 and a sentence when there is nothing to write it from, and nothing is changed."""
    names = frozenset(pin.name for pin in locked())
    with TemporaryDirectory() as folder:
        dump = Path(arguments[0]) if arguments else Path(folder) / "all.zip"
        try:
            if not arguments:
                download(dump)
            known = read(dump, names)
        except (NotADump, OSError, httpx.HTTPError, msgspec.DecodeError, zipfile.BadZipFile) as fault:
            print(f"no advisories: {fault}", file=sys.stderr)
            return 1
    written = msgspec.json.format(msgspec.json.encode(known), indent=1)
    (ROOT / PATH).write_bytes(written + b"\n")
    print(f"{len(known.advisories)} advisories for {len(names)} packages, of {known.day}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
