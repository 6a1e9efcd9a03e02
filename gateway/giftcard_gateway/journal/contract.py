"""What every journal must do, whatever database is under it.

A journal keeps rows: a few plain columns to find work by, and one sealed document it cannot read.
Every write is durable before it returns (rule 2) and is a compare-and-set on `version` (rule 14).
The rules of money are in `ledger`.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

import msgspec

from giftcard_gateway.errors import OperatorError
from giftcard_gateway.journal.measured import OnBatch, Pool, ignore, nobody
from giftcard_gateway.journal.notes import Notes
from giftcard_gateway.ledger.tenants import DEFAULT_TENANT
from giftcard_gateway.seal import FIRST_HASH_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import timedelta
    from typing import Self

    from giftcard_gateway.journal.notes import KeyInUse
    from giftcard_gateway.journal.settings import JournalSettings
    from giftcard_gateway.ledger.grace import Outage


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction as a journal keeps it; all times are in UTC.

    `driver` is the process that works on it; from `due_at` on any other may take it, and None means that
    nothing is owed. A row can be found by its `blind_indexes`, keyed hashes of cards, references, labels,
    merchants and terminals. A write adds those it carries, or puts them in the place of those recorded where
    it carries all; a row that is read back carries none.
    """

    transaction_id: str
    operation: str
    provider: str
    state: str
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None
    driver: str
    version: int
    fence: int
    document: bytes
    tenant: str = DEFAULT_TENANT
    asked_id: str = ""
    """The id its caller made, where that is not `transaction_id`."""
    hash_key: str = FIRST_HASH_KEY
    """The id of the key that all its blind indexes are made with; empty when they are under several."""
    blind_indexes: tuple[bytes, ...] = ()
    are_all_indexes: bool = False
    """Whether it is to be found by nothing but these."""
    damaged: str = ""
    """A column that holds what no gateway writes there; what stands here for it is made up."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of state in the feed. `cursor` is opaque and resumes the feed after it."""

    cursor: str
    transaction_id: str
    state: str
    at: datetime
    damaged: str = ""
    """As in a row."""


class RowQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows to list, newest first; None does not filter. `after` is (created_at, transaction_id).

    A row with any of `blind_indexes` is listed, once: what is looked for has one under each hash key.
    """

    tenant: str | None = None
    states: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    blind_indexes: tuple[bytes, ...] = ()
    created_from: datetime | None = None
    created_before: datetime | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """When the first row of one provider in one state is due."""

    provider: str
    state: str
    due_at: datetime


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows of one provider are in one unfinished state, and when the oldest was created."""

    provider: str
    state: str
    count: int
    oldest_at: datetime


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook event: unique by (provider, event_id); its document is sealed.

    `cursor` is empty when the event is added and set when it is read. `applied` says whether its
    transaction knows what the event proves. `tenant` is whose it is, empty where that is not known; it
    narrows what is read, and who may see it is decided by its transaction.
    """

    provider: str
    event_id: str
    name: str
    received_at: datetime
    document: bytes
    tenant: str = ""
    applied: bool = False
    cursor: str = ""
    damaged: str = ""
    """As in a row."""


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """How many documents of a table begin with `head`: their format and key; see `head_of` in the seal."""

    table: str
    head: bytes
    count: int


class Resealed(msgspec.Struct, frozen=True, kw_only=True):
    """A document to put in the place of the one in `row`, which is as it was read.

    With a `hash_key`, `blind_indexes` made with it take the place of all that a transaction has. An event has
    the id and the name of `renamed` from then on, where it is given and no other event has that id.
    """

    row: Row | EventRow
    document: bytes
    renamed: EventRow | None = None
    hash_key: str = ""
    blind_indexes: tuple[bytes, ...] = ()


class SchemaState(msgspec.Struct, frozen=True, kw_only=True):
    """The schema version found (empty for none), the known one, and the SQL from one to the other.

    `sql` is empty where nothing is to be run, also where a newer gateway's schema was found. Gateways that
    know `oldest_reader` or a later version work with what was found; `oldest_reader_after` is the same of
    what the SQL leaves.
    """

    found: str
    known: str
    sql: str
    oldest_reader: str = ""
    oldest_reader_after: str = ""


class JournalClosed(OperatorError):
    """The journal cannot be written or read at the moment; nothing of this call is promised to be durable.

    A write may still be found later: its commit was sent and the answer was lost. An open so found is a
    PENDING row of which nothing was sent; a write may be repeated until it is answered.
    """


class SchemaUnknown(OperatorError):
    """The database's schema is not the one this gateway works with; the text says what to run."""


class JournalBusy(OperatorError):
    """Another process has this journal open, and this kind allows one; the text says which process."""


class Journal(Notes):
    """A durable store of rows, changes and events. Raises JournalClosed when its database is away.

    Any call raises ValueError for what no database can hold, and for a cursor that no feed gave.
    """

    is_shared: ClassVar[bool]
    """Whether several processes may have it open at once."""
    system: ClassVar[str] = "other_sql"
    """What OpenTelemetry calls the database under it."""
    on_batch: OnBatch = staticmethod(ignore)
    """Called on any thread after each batch: `system`, for how many seconds its first write waited and the
    batch then took, and for whom each write was, as `caller` told."""
    caller: Callable[[], object] = staticmethod(nobody)
    """Asked as a row is handed in: what names the call that waits for it."""

    @property
    def pool(self) -> Pool | None:
        """Return how its sessions are used, from any thread; None where there is no pool."""
        return None

    @classmethod
    @abstractmethod
    def at(cls, settings: JournalSettings) -> Self:
        """Return the journal the settings name, not started; raise ValueError for a URL it cannot use."""

    @abstractmethod
    async def schema(self) -> SchemaState:
        """Return how the database's schema stands; needs no `start` and changes nothing."""

    @abstractmethod
    async def upgrade(self) -> None:
        """Bring the database to the known schema, whole or not at all; needs no `start`.

        Raises JournalBusy where a process has it open that must not, and SchemaUnknown for a schema that only
        newer gateways work with.
        """

    @abstractmethod
    async def start(self) -> None:
        """Open the database; raise SchemaUnknown or JournalBusy, with a sentence each."""

    @abstractmethod
    async def close(self) -> None:
        """Finish the writes that are queued and let go of the database."""

    @abstractmethod
    async def check(self) -> None:
        """Return when the database answers and can be written; raise JournalClosed when not."""

    @abstractmethod
    async def open(self, row: Row) -> Row | None:
        """Insert `row` and return None; return the recorded row when its transaction_id is taken."""

    @abstractmethod
    async def write(self, row: Row) -> bool:
        """Replace the recorded row whose version is `row.version - 1`; False when another write came first.

        A change of state is added to the feed in the same database transaction. Also True when this very
        row (version and document, which a seal makes unique) is recorded already, so that a write whose
        answer was lost can be repeated. A write that carries not all blind indexes, under another hash key
        than the recorded, leaves them under several. `tenant`, `operation`, `provider` and `created_us` never
        change.
        """

    @abstractmethod
    async def get(self, transaction_id: str) -> Row | None:
        """Return one row, as last written."""

    @abstractmethod
    async def list(self, query: RowQuery) -> Sequence[Row]:
        """Return rows newest first, by index whatever the query."""

    @abstractmethod
    async def claim(
        self,
        *,
        now: datetime,
        lease_until: datetime,
        driver: str,
        limit: int,
        provider: str,
        states: Sequence[str],
        heads: Collection[bytes] | None = None,
    ) -> Sequence[Row]:
        """Take up to `limit` rows of `provider` in `states` that are due at `now`, oldest due first.

        Only those whose document begins with one of `heads`, where they are given: what a process cannot
        open it never takes.

        Each is one fence and version higher, and no row is handed to two callers. The rows come back as they
        now stand; their documents still hold the old fence, version, driver and due time, which the columns
        override. Costs O(due), not O(history).
        """

    @abstractmethod
    async def next_due(self) -> Sequence[Due]:
        """Return the earliest due time of every provider and state that has rows with one; by index."""

    @abstractmethod
    async def beat(self, now: datetime, *, silence: timedelta) -> Outage | None:
        """Write down that a gateway could write at `now`, and return the last outage, if any.

        No beat of any process for longer than `silence` is an outage.
        """

    @abstractmethod
    async def wait_changed(self, timeout_s: float) -> None:
        """Return when any process sharing the journal wrote, or after `timeout_s`; may return early."""

    @abstractmethod
    async def changes(self, *, after: str, limit: int, tenant: str | None = None) -> Sequence[Change]:
        """Return the feed after a cursor (empty: from the start); nothing is ever inserted behind it.

        By index also where it is one tenant's.
        """

    @abstractmethod
    async def last_cursor(self) -> str:
        """Return the cursor of the newest change; a watcher that starts there sees only later changes."""

    @abstractmethod
    async def backlog(self, *, tenant: str | None = None) -> Sequence[Backlog]:
        """Count rows in states that owe something or need a person, by provider and state; by index.

        Of one tenant where one is named.
        """

    @abstractmethod
    async def damaged(self) -> int:
        """Count rows in a state or of an operation that is none, or created or due at no time there is.

        By index. Lists and claims may pass such rows over.
        """

    @abstractmethod
    async def purge(self, *, before: datetime, limit: int, tenant: str | None = None) -> int:
        """Delete up to `limit` rows in a final state last written before a time, with feed and blind indexes.

        Then events that came before then and were carried over. Returns how many; 0 means none are left.
        """

    @abstractmethod
    async def forget(self, rows: Sequence[Row | EventRow]) -> int:
        """Delete these where they are still as they were read, with feed and blind indexes; return how many.

        Never a transaction in a state that something follows.
        """

    async def now(self) -> datetime | None:
        """Return the time by the journal's own clock; None where that is this machine's."""
        return None

    async def tend(self, now: datetime) -> None:
        """Get ready for what is written in the time to come: once an hour; nothing breaks without."""

    async def drop(self, *, before: datetime) -> datetime:
        """Let go of whole spans of time in which everything finished and was last written before a time.

        Returns the time to purge by, one by one, for what is not let go of that way: here `before` itself,
        elsewhere the beginning of the span it lies in. `purge` then counts what went with the spans.
        """
        return before

    @abstractmethod
    async def add_event(self, event: EventRow, other_ids: Sequence[str] = ()) -> bool:
        """Insert an event durably; False when this provider's event_id, or another of its ids, is there."""

    @abstractmethod
    async def mark_event_applied(self, provider: str, event_id: str, *, tenant: str | None = None) -> None:
        """Mark an event as applied: its transaction knows what it proves; `tenant` is whose it is by that."""

    @abstractmethod
    async def unapplied_events(
        self, limit: int, heads: Collection[bytes] | None = None
    ) -> Sequence[EventRow]:
        """Return events that are not applied yet, oldest first, by a partial index; `heads` as in `claim`."""

    @abstractmethod
    async def events(
        self, *, after: str, limit: int, provider: str | None = None, tenant: str | None = None
    ) -> Sequence[EventRow]:
        """Return events after a cursor, in an order that never inserts behind it.

        By index also where they are one provider's, or one tenant's with those of which no tenant is known.
        """

    @abstractmethod
    async def seals(self, states: Sequence[str] | None = None) -> Sequence[Sealed]:
        """Count documents by what they begin with: of transactions in `states`, or of all and all events.

        Needs no `start`, like `api_keys`. Without `states` it reads everything.
        """

    @abstractmethod
    async def indexed(self, states: Sequence[str] | None = None) -> Mapping[str, int]:
        """Count transactions, all or those in `states`, by the id of their hash key; needs no `start`."""

    @abstractmethod
    async def keys_in_use(self) -> Sequence[KeyInUse]:
        """Return the keys that were noted; they are few."""

    @abstractmethod
    async def use_keys(self, noted: Collection[KeyInUse]) -> None:
        """Note durably that rows may be under these keys from now on.

        A note that is there stays as it is, but for a fingerprint where it has none.
        """

    @abstractmethod
    async def drop_keys(self, noted: Collection[KeyInUse]) -> None:
        """Take back the notes of these keys."""

    @abstractmethod
    async def rows_after(self, after: str, limit: int) -> Sequence[Row]:
        """Return transactions by id, after this one; needs no `start`."""

    @abstractmethod
    async def events_after(self, after: tuple[str, str], limit: int) -> Sequence[EventRow]:
        """Return events by provider and event id, after this one, without cursors; needs no `start`."""

    @abstractmethod
    async def reseal(self, resealed: Sequence[Resealed]) -> int:
        """Replace documents durably that are still as they were read; return how many. Needs no `start`.

        Neither version nor fence changes: who works on a row does not notice. Blind indexes are replaced in
        the same database transaction as their row's document.
        """

    @abstractmethod
    async def last_event_cursor(self) -> str:
        """Return the cursor of the newest event; a reader that starts there sees only later events."""
