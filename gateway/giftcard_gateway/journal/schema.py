"""The steps that make a journal's schema, and what is said of a schema that is not the known one.

A step is a file such as `0001_journal.sql` beside the journal it is for. Each database's own `schema` module
runs the steps; nothing is run here. A step's first line says which gateways work with what it leaves, and the
database keeps that, so that a gateway can tell of steps that it does not know.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import NamedTuple

from giftcard_gateway.journal.contract import SchemaState, SchemaUnknown

EMPTY = ""
"""The version of a database without a journal."""

_STEP = re.compile(r"(\d{4})_\w+\.sql", re.ASCII)
_VERSION = re.compile(r"\d{4}", re.ASCII)
_READER = re.compile(r"-- oldest reader: (\d{4})\n", re.ASCII)
_STOPPED = re.compile(r"-- oldest reader: \d{4}\n-- gateways: stopped\n", re.ASCII)
_log = logging.getLogger(__name__)


class Found(NamedTuple):
    """The version a database has, and whether Alembic wrote it, as releases before 0.2 did.

    `oldest_reader` is the oldest known version of gateways that work with it, as the database itself says;
    empty where it does not.
    """

    version: str
    is_from_alembic: bool = False
    oldest_reader: str = ""


class Steps:
    """The steps in one folder, in order; those after `until` are left out when it is given."""

    def __init__(self, folder: Path, until: str = "") -> None:
        numbered = {file.name[:4]: file for file in folder.iterdir() if _STEP.fullmatch(file.name)}
        self._files = {number: numbered[number] for number in sorted(numbered) if number <= (until or number)}
        self._version_table = folder / "schema_version.sql"
        self._reader_column = folder / "oldest_reader.sql"
        self.known = max(self._files)
        """The version after the last step: the one this gateway works with."""

    def reader_of(self, number: str) -> str:
        """Return which gateways work with what a step leaves: those that know this version or a later one.

        It is the step's own number where its first line says nothing.
        """
        said = _READER.match(_text(self._files[number]))
        return said[1] if said else number

    def wants_gateways_stopped(self, found: Found) -> bool:
        """Tell whether a step that is due says that no gateway of before works on while it is made."""
        due = (file for number, file in self._files.items() if EMPTY < found.version < number)
        return any(_STOPPED.match(_text(file)) for file in due)

    def oldest_reader(self, version: str) -> str:
        """Return the oldest gateways that work with a schema of a version, empty for no version."""
        return max((self.reader_of(number) for number in self._files if number <= version), default=EMPTY)

    def sql(self, found: Found) -> str:
        """Return the SQL from the version found to the known one, empty when there is nothing to run."""
        due = [file for number, file in self._files.items() if number > found.version]
        if not due:
            return ""
        parts: list[str] = []
        is_silent = found.version and not found.oldest_reader and not found.is_from_alembic
        if is_silent:
            parts += [_text(self._reader_column)]
        parts += [_text(self._version_table)]
        if found.is_from_alembic:
            parts += ["DROP TABLE alembic_version;\n", self._note(found.version)]
        if is_silent:
            parts += [self._note_reader(number) for number in self._files if number <= found.version]
        for file in due:
            parts += [f"-- {file.name}\n", _text(file), self._note(file.name[:4])]
        return "\n".join(parts)

    def state(self, found: Found, script: str) -> SchemaState:
        """Return how a schema stands; `script` is the SQL to the known one, whole."""
        now = found.oldest_reader or self.oldest_reader(found.version)
        return SchemaState(
            found=found.version,
            known=self.known,
            sql=script,
            oldest_reader=now,
            oldest_reader_after=max(now, self.oldest_reader(self.known)),
        )

    def refuse_unknown(self, found: Found, database: str) -> None:
        """Raise SchemaUnknown unless this gateway works with the version found; the text says what to run."""
        self.refuse_newer(found, database)
        if found.version >= self.known:
            return
        is_old = bool(found.version)
        has = f"has schema {found.version}, older than {self.known}" if is_old else "has no schema"
        raise SchemaUnknown(
            f"{database} {has}: run: giftcard-gateway migrate --config gateway.toml"
            " (or --sandbox --data FOLDER, as for this command)"
        )

    def refuse_newer(self, found: Found, database: str) -> None:
        """Raise SchemaUnknown for a version that only newer gateways work with, or that is no journal's."""
        if found.version and not _VERSION.fullmatch(found.version):
            raise SchemaUnknown(
                f"{database} has tables of another program: give the journal its own database"
            )
        if found.version > self.known and not EMPTY < found.oldest_reader <= self.known:
            raise SchemaUnknown(
                f"{database} has schema {found.version}, newer than {self.known}, which this gateway knows,"
                f" and gateways before {found.oldest_reader or found.version} may not write it:"
                " run a newer giftcard-gateway"
            )

    def tell_newer(self, found: Found, database: str) -> None:
        """Log that a newer gateway's schema is worked with, where it is one."""
        if found.version > self.known:
            _log.warning(
                "%s has schema %s, newer than %s, which this gateway knows; it lets in all from %s on",
                database,
                found.version,
                self.known,
                found.oldest_reader,
            )

    def _note(self, number: str) -> str:
        return (
            "INSERT INTO schema_version (version, oldest_reader)"
            f" VALUES ('{number}', '{self.reader_of(number)}');\n"
        )

    def _note_reader(self, number: str) -> str:
        return (
            f"UPDATE schema_version SET oldest_reader = '{self.reader_of(number)}'"
            f" WHERE version = '{number}';\n"
        )


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")
