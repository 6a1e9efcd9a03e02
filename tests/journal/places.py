"""Where the journals under test keep their rows, so that one suite can open any of them, and again."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.postgres.sessions import SessionLimits
from giftcard_gateway.journal.sqlite.journal import Sqlite
from tests.patience import PATIENCE_S
from tests.world.journal import InlineSqlite


class Place(ABC):
    """One database."""

    allows_many: bool
    """Whether two journals may write it at once."""

    @property
    @abstractmethod
    def url(self) -> str:
        """How another process finds it."""

    @abstractmethod
    def journal(self) -> Journal:
        """Return a journal on it, not started."""

    @abstractmethod
    async def execute(self, statement: str) -> None:
        """Run a statement behind the journal's back."""


@dataclass
class File(Place):
    """A SQLite file."""

    path: Path
    kind: type[Sqlite]
    allows_many = False

    @property
    def url(self) -> str:
        """How another process finds it."""
        return f"sqlite:///{self.path}"

    def journal(self) -> Journal:
        """Return a journal on it, not started."""
        return self.kind(str(self.path))

    async def execute(self, statement: str) -> None:
        """Run a statement behind the journal's back."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement)


@dataclass
class Server(Place):
    """A PostgreSQL database with the schema in place."""

    address: str
    allows_many = True

    @property
    def url(self) -> str:
        """How another process finds it."""
        return self.address

    def journal(self) -> Journal:
        """Return a journal on it, not started."""
        return Postgres(self.address, SessionLimits(statement_timeout_s=PATIENCE_S))

    async def execute(self, statement: str) -> None:
        """Run a statement behind the journal's back."""
        connection = await asyncpg.connect(self.address)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def file(kind: str, folder: Path) -> File:
    """Return a new SQLite file."""
    return File(folder / "journal.db", {"sqlite": Sqlite, "inline": InlineSqlite}[kind])
