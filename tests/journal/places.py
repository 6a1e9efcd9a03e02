"""Where the journals under test keep their rows, so that one suite can open any of them, and again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.sqlite.journal import Sqlite
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
        return Postgres(self.address)


def file(kind: str, folder: Path) -> File:
    """Return a new SQLite file."""
    return File(folder / "journal.db", {"sqlite": Sqlite, "inline": InlineSqlite}[kind])
