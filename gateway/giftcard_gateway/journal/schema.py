"""The steps that make a journal's schema, and what is said of a schema that is not the known one.

A step is a file such as `0001_journal.sql` beside the journal it is for. Each database's own `schema` module
runs the steps; nothing is run here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from giftcard_gateway.journal.contract import SchemaUnknown

EMPTY = ""
"""The version of a database without a journal."""

_STEP = re.compile(r"(\d{4})_\w+\.sql", re.ASCII)
_VERSION = re.compile(r"\d{4}", re.ASCII)


class Found(NamedTuple):
    """The version a database has, and whether Alembic wrote it, as releases before 0.2 did."""

    version: str
    is_from_alembic: bool = False


class Steps:
    """The steps in one folder, in order; those after `until` are left out when it is given."""

    def __init__(self, folder: Path, until: str = "") -> None:
        numbered = {file.name[:4]: file for file in folder.iterdir() if _STEP.fullmatch(file.name)}
        self._files = {number: numbered[number] for number in sorted(numbered) if number <= (until or number)}
        self._version_table = folder / "schema_version.sql"
        self.known = max(self._files)
        """The version after the last step: the one this gateway works with."""

    def sql(self, found: Found) -> str:
        """Return the SQL from the version found to the known one, empty when there is nothing to run."""
        due = [file for number, file in self._files.items() if number > found.version]
        if not due:
            return ""
        parts = [_text(self._version_table)]
        if found.is_from_alembic:
            parts += ["DROP TABLE alembic_version;\n", _note(found.version)]
        for file in due:
            parts += [f"-- {file.name}\n", _text(file), _note(file.name[:4])]
        return "\n".join(parts)

    def refuse_unknown(self, found: Found, database: str) -> None:
        """Raise SchemaUnknown unless `found` is the known version; the text says what to run."""
        self.refuse_newer(found, database)
        if found.version == self.known:
            return
        is_old = bool(found.version)
        has = f"has schema {found.version}, older than {self.known}" if is_old else "has no schema"
        raise SchemaUnknown(
            f"{database} {has}: run: giftcard-gateway migrate --config gateway.toml"
            " (or --sandbox --data FOLDER, as for this command)"
        )

    def refuse_newer(self, found: Found, database: str) -> None:
        """Raise SchemaUnknown for a version that a newer gateway made, or that is no version of a journal."""
        if found.version and not _VERSION.fullmatch(found.version):
            raise SchemaUnknown(
                f"{database} has tables of another program: give the journal its own database"
            )
        if found.version > self.known:
            raise SchemaUnknown(
                f"{database} has schema {found.version}, newer than {self.known}, which this gateway knows:"
                " run a newer giftcard-gateway"
            )


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _note(version: str) -> str:
    return f"INSERT INTO schema_version (version) VALUES ('{version}');\n"
