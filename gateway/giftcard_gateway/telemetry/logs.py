"""Logs: one JSON object a line on standard error, or lines for people on a terminal.

Modules log with the standard library, a fixed sentence and extra fields. What lives here is the
form, the trace a line belongs to, and the last defence of card numbers: long runs of digits are
taken out wherever they stand, and an exception shows its type and place and never its text.

    ERROR      a person must do something: the runbook says what
    WARNING    something went wrong that mends itself, or is open because the operator said so
    INFO       what was done: a line for each transaction that ended
    DEBUG      for who develops; only here libraries say more than that they failed
"""

from __future__ import annotations

import json
import logging
import os
import socket
import traceback
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, TextIO

import msgspec
from opentelemetry.trace import get_current_span

from giftcard_adapters.scrub import mask

if TYPE_CHECKING:
    from giftcard_gateway.config.settings import Telemetry as LogSettings

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}
_LIBRARIES = ("aiohttp", "asyncio", "asyncpg", "grpc", "httpcore", "httpx", "opentelemetry", "py.warnings")
"""Who else writes logs here. What an operator needs of it, such as that the journal is away, we say."""
_FRAMES = 8
"""Enough of a traceback to find the place."""


def set_up(settings: LogSettings, stream: TextIO, copies: logging.Handler | None = None) -> None:
    """Send every logger's lines to `stream` as the settings say, and to `copies`."""
    is_text = settings.log_format == "text" or (settings.log_format == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextForm(is_coloured=stream.isatty()) if is_text else JsonForm())
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    if copies is not None:
        root.addHandler(copies)
    root.setLevel(settings.log_level.upper())
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(
            logging.NOTSET if settings.log_level == "debug" else logging.ERROR
        )
    logging.captureWarnings(capture=True)


def redact(text: str) -> str:
    """Return `text` without any run of twelve or more digits, however it is spelled."""
    return mask(text)


class JsonForm(logging.Formatter):
    """One JSON object a line: time, level, logger, message, process, the trace, and the fields given."""

    def __init__(self) -> None:
        """Note which process this is."""
        super().__init__()
        self._process = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": version("giftcard-gateway"),
        }

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": _moment(record).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
            **self._process,
        }
        span = get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = f"{span.trace_id:032x}"
            line["span_id"] = f"{span.span_id:016x}"
        return json_line(fields_of(record) | line)


def json_line(value: object) -> str:
    """Return a value as a line of JSON that commands no terminal, which obeys more than JSON escapes."""
    written = msgspec.json.encode(value).decode()
    return written if written.isprintable() else "".join(map(_escaped, written))


def _escaped(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1].replace("\x7f", r"\u007f")


class TextForm(logging.Formatter):
    """One line for a person: time, level, message and fields."""

    def __init__(self, *, is_coloured: bool) -> None:
        """Colour the level, or not."""
        super().__init__()
        self._is_coloured = is_coloured

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        level = f"{record.levelname:<8}"
        if self._is_coloured:
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
        fields = "".join(f"  {key}={value}" for key, value in fields_of(record).items())
        message = redact(record.getMessage()) + fields
        # A newline or an escape in a value would let it write lines of its own.
        shown = message if message.isprintable() else message.encode("unicode_escape").decode()
        return f"{_moment(record):%H:%M:%S} {level} {shown}"


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what a line tells beside its sentence, masked; of an exception its type and place."""
    fields = {key: _safe(value) for key, value in vars(record).items() if key not in _PLAIN}
    if record.exc_info and record.exc_info[1] is not None:
        fields |= fault_fields(record.exc_info[1])
    return fields


def fault_fields(fault: BaseException) -> dict[str, object]:
    """Return an exception's type and where it came from; its text may hold anything, so not that."""
    frames = traceback.extract_tb(fault.__traceback__)[-_FRAMES:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error_type": type(fault).__qualname__, "error_place": " < ".join(reversed(places))}


def _safe(value: object) -> object:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if redact(str(value)) == str(value) else "***"
    return redact(str(value))
