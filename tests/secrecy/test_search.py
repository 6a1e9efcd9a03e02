"""That the search finds what it is there to find: each spelling, in each place a gateway can leave it."""

from __future__ import annotations

import base64
import hashlib
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from giftcard_gateway.errors import ProviderNotFound
from giftcard_gateway.providers.connections import Connections
from tests.secrecy.faults import watching
from tests.secrecy.search import Search
from tests.secrecy.spellings import spellings
from tests.secrecy.story import logging_all
from tests.world.seen import Seen

NUMBER = "4929381776510348"
TEXT = "pa?sword/of a till"
SEARCH = Search({"number": NUMBER, "text": TEXT, "key": hashlib.sha256(b"key").digest()})

READ_BACK: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "in groups": lambda text: " ".join(text[place : place + 4] for place in range(0, 16, 4)),
    "with dashes": lambda text: "-".join(text[place : place + 4] for place in range(0, 16, 4)),
    "backwards": lambda text: text[::-1],
    "in hex": lambda text: text.encode().hex(),
    "in capital hex": lambda text: text.encode().hex().upper(),
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64 of JSON": lambda text: base64.b64encode(f'{{"pan":"{text}"}}'.encode()).decode(),
    "in base64 of a longer text": lambda text: base64.b64encode(f"card {text}!".encode()).decode(),
    "in base64url": lambda text: base64.urlsafe_b64encode(f"~~{text}??".encode()).decode(),
    "in a URL": lambda text: quote(f"/cards/{text}", safe=""),
    "hashed": lambda text: hashlib.sha256(text.encode()).hexdigest(),
}
"""How a program or a person may write a number, made by other code than the search's own."""


@pytest.mark.parametrize("spelling", READ_BACK)
def test_a_spelling_is_found(spelling: str) -> None:
    """Whatever stands around it, a number is found in every spelling, by its name."""
    left = f"...{READ_BACK[spelling](NUMBER)}...".encode()
    assert {hit.secret for hit in SEARCH.hits({"here": left})} == {"number"}


@pytest.mark.parametrize(
    "secret", [NUMBER, TEXT, hashlib.sha256(b"key").digest()], ids=["number", "text", "key"]
)
def test_each_spelling_is_searched_for(secret: str | bytes) -> None:
    """Everything that `spellings` makes is found inside other bytes, and nothing in bytes that have none."""
    for name, spelled in spellings(secret).items():
        assert SEARCH.hits({"here": b"\x00<" + spelled + b">\xff"}), name
    assert SEARCH.hits({"here": bytes(range(256)) * 8}) == []


def test_what_is_short_is_refused() -> None:
    """A few digits are in every long text by chance, so nobody may think that they were searched for."""
    with pytest.raises(ValueError, match="too short"):
        Search({"pin": "1234"})


def test_an_empty_place_is_no_proof() -> None:
    """A place where nothing was left fails the search, because it would find nothing whatever there was."""
    with pytest.raises(AssertionError, match="nothing was left in logs"):
        SEARCH.hits({"logs": b""})


def found(places: dict[str, bytes]) -> set[str]:
    """Return where the number was found."""
    return {hit.place for hit in SEARCH.hits({place: left for place, left in places.items() if left})}


def test_a_line_of_a_log_is_looked_at() -> None:
    """A number that a module logs at DEBUG in a spelling that nobody masks is found."""
    with logging_all() as log:
        logging.getLogger("giftcard_gateway.any").debug(
            "seen", extra={"card": READ_BACK["in base64"](NUMBER)}
        )
    assert found({"log": log.getvalue().encode()}) == {"log"}


def test_spans_and_metrics_are_looked_at() -> None:
    """A number in a span's name or in an attribute of a metric is found."""
    seen = Seen()
    with seen.telemetry.call(READ_BACK["in hex"](NUMBER), ()):
        pass
    seen.telemetry.observer.refused(READ_BACK["backwards"](NUMBER), "SCOPE_MISSING", "")
    spans = "".join(span.to_json() for span in seen.spans())
    assert found({"spans": spans.encode(), "metrics": seen.metrics().encode()}) == {"spans", "metrics"}
    seen.telemetry.close()


def test_exceptions_are_looked_at() -> None:
    """A number in an exception's words, in its cause's, and beside it in a frame of the ledger is found."""
    with watching() as raised, suppress(ProviderNotFound):
        Connections([]).get(NUMBER)
    assert found({"words": "".join(raised.texts).encode()}) == set()
    assert found({"values": "".join(raised.values).encode()}) == {"values"}
    code = compile(
        "def fail(secret):\n try:\n  int(secret + 'x')\n except ValueError:\n  raise LookupError from None",
        "/giftcard_gateway/ledger/planted.py",
        "exec",
    )
    planted: dict[str, Callable[[str], None]] = {}
    exec(code, planted)  # noqa: S102 - a module of the ledger that does what none of ours may
    with watching() as raised, suppress(LookupError):
        planted["fail"](NUMBER)
    places = {"words": "".join(raised.texts), "values": "".join(raised.values)}
    assert found({place: text.encode() for place, text in places.items()}) == {"words", "values"}


def test_a_file_of_the_journal_is_looked_at(tmp_path: Path) -> None:
    """A number in a row that was written a moment ago is found in the write-ahead log, later in the file."""
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = wal")
        file.execute("CREATE TABLE rows (document BLOB)")
        file.commit()
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        file.execute("INSERT INTO rows VALUES (?)", (bytes.fromhex(NUMBER),))
        file.commit()
        files = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
        assert found(files) == {"journal.db-wal"}
    assert found({"file": path.read_bytes()}) == {"file"}
