"""Logs: their form, the trace they belong to, and what never stands in them."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from typing import Literal

import pytest

from giftcard_gateway.config.settings import Telemetry as LogSettings
from giftcard_gateway.telemetry import logs
from tests.world.seen import Seen

CARD = "6045001122334455"
ID = "50606112-2334-4556-8899-112233445566"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Give a stream for logs, and put the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = tuple(root.handlers), root.level
    yield io.StringIO()
    # At `debug` libraries say what they like, as they do where nobody has set logs up.
    logs.set_up(LogSettings(log_level="debug"), io.StringIO())
    for handler in tuple(root.handlers):
        root.removeHandler(handler)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def set_up(
    stream: io.StringIO,
    form: Literal["auto", "json", "text"] = "json",
    level: Literal["debug", "info", "warning", "error"] = "info",
) -> logging.Logger:
    """Set logs up and return a logger."""
    logs.set_up(LogSettings(log_format=form, log_level=level), stream)
    return logging.getLogger("giftcard_gateway.some")


def test_json(stream: io.StringIO) -> None:
    """A line is one JSON object with time, level, logger, message and the fields given."""
    set_up(stream).info("transaction ended", extra={"transaction_id": ID, "attempts": 3, "is_late": False})
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert (line.pop("host"), line.pop("pid")) == (socket.gethostname(), os.getpid())
    assert line.pop("version") == version("giftcard-gateway")
    assert line == {
        "level": "INFO",
        "logger": "giftcard_gateway.some",
        "message": "transaction ended",
        "transaction_id": ID,
        "attempts": 3,
        "is_late": False,
    }
    assert stream.getvalue().count("\n") == 1


def test_level(stream: io.StringIO) -> None:
    """What is below the level is not written."""
    log = set_up(stream, level="warning")
    log.info("quiet")
    log.warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


@pytest.mark.parametrize("level", ["info", "debug"])
def test_libraries_are_quiet(stream: io.StringIO, level: Literal["info", "debug"]) -> None:
    """What a library warns of is for `debug`, by a logger or by Python's warnings; its failures are told."""
    log = set_up(stream, level=level)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("the pool was closed", UserWarning, stacklevel=1)
        logging.getLogger("asyncpg.pool").warning("the pool is closing")
    logging.getLogger("asyncio").error("a task failed")
    log.warning("ours")
    shown = stream.getvalue()
    assert ("the pool is closing" in shown) is (level == "debug")
    assert ("the pool was closed" in shown) is (level == "debug")
    assert "a task failed" in shown
    assert "ours" in shown


def test_trace(stream: io.StringIO, seen: Seen) -> None:
    """A line written during a call names its trace and span."""
    log = set_up(stream)
    with seen.telemetry.call("a/B", []):
        log.info("here")
    line = json.loads(stream.getvalue())
    context = seen.spans()[0].context
    assert context is not None
    assert (line["trace_id"], line["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")


@pytest.mark.parametrize(
    "hidden", [CARD, "6045 0011 2233 4455", "6045-0011-2233-4455", "604500112233", "card=" + CARD + "."]
)
@pytest.mark.parametrize("form", ["json", "text"])
def test_card_numbers(stream: io.StringIO, form: Literal["json", "text"], hidden: str) -> None:
    """A run of twelve digits or more is taken out of messages, arguments and fields, however grouped."""
    log = set_up(stream, form)
    log.info("number %s", hidden, extra={"field": hidden, "list": [hidden]})
    shown = stream.getvalue()
    assert "***" in shown
    for group in ("6045", "0011"):
        assert group not in shown


def test_number_as_number(stream: io.StringIO) -> None:
    """A card number is taken out when it is an integer, too."""
    set_up(stream).info("x", extra={"number": int(CARD)})
    assert CARD not in stream.getvalue()


def test_ids_and_times_stay(stream: io.StringIO) -> None:
    """UUIDs, dates and short numbers are kept, so that a transaction can be found."""
    set_up(stream).info("at 2026-11-05 10:11:12 took 12345678901", extra={"id": ID})
    assert ID in stream.getvalue()
    assert "2026-11-05 10:11:12 took 12345678901" in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "text"])
def test_exceptions(stream: io.StringIO, form: Literal["json", "text"]) -> None:
    """An exception shows its type and place and never its text."""
    log = set_up(stream, form)
    try:
        int("s3cret-text")
    except ValueError:
        log.exception("failed")
    shown = stream.getvalue()
    assert "ValueError" in shown
    assert "test_logs.py" in shown
    assert "s3cret" not in shown
    assert shown.count("\n") == 1


def test_no_forged_lines(stream: io.StringIO) -> None:
    """A value with a newline or an escape in it cannot write a line or a colour of its own."""
    set_up(stream, "text").info("name %s", "a\n12:00:00 ERROR forged\x1b[31m")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_no_forged_lines_in_json(stream: io.StringIO) -> None:
    """The same of JSON, where the value is what it was once it is read."""
    hostile = "a\n\x1b[31m \x9b31m \x7f \u202e \U000e0001"
    set_up(stream).info("name %s", hostile, extra={"field": hostile})
    line = stream.getvalue().removesuffix("\n")
    assert line.isprintable()
    told = json.loads(line)
    assert (told["message"], told["field"]) == (f"name {hostile}", hostile)


def test_own_fields_win(stream: io.StringIO) -> None:
    """A field cannot take the place of the line's own time, level or logger."""
    set_up(stream).info("x", extra={"level": "forged", "time": "forged"})
    assert "forged" not in stream.getvalue()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_auto(stream: io.StringIO) -> None:
    """On a terminal lines are for people, in colour; elsewhere they are JSON."""
    terminal = Terminal()
    set_up(terminal, "auto").warning("look", extra={"provider": "spar-za"})
    assert "\x1b[33mWARNING" in terminal.getvalue()
    assert "look  provider=spar-za" in terminal.getvalue()
    set_up(stream, "auto").warning("look")
    assert json.loads(stream.getvalue())["message"] == "look"


def test_observer_log(stream: io.StringIO, seen: Seen) -> None:
    """The pipeline's faults are logged by type and place."""
    set_up(stream)
    seen.telemetry.observer.faulted("advance", ValueError(f"s3cret {CARD}"))
    line = json.loads(stream.getvalue())
    assert (line["error_type"], line["place"], line["level"]) == ("ValueError", "advance", "ERROR")
    assert "s3cret" not in stream.getvalue()
