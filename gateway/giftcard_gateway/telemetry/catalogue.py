"""Every metric: what it is called, what it is told by, and what it says. docs/metrics.md is made of this.

Names and units follow the OpenTelemetry conventions where there are any. No attribute names a card or caller.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

PROVIDER, OPERATION, STATE = "giftcard.provider", "giftcard.operation", "giftcard.state"
REASON, CAUSE, BUDGET, PLACE = "giftcard.reason", "giftcard.cause", "giftcard.budget", "giftcard.place"


class Instrument(NamedTuple):
    """One metric. `labels` are attributes, of which one that is empty is left out."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    text: str
    is_shared: bool = False
    """Whether it is about the journal that replicas share: all tell the same, so take the highest, no sum."""


CALLS = Instrument(
    "rpc.server.call.duration",
    "histogram",
    "s",
    ("rpc.system.name", "rpc.method", "rpc.response.status_code", "error.type"),
    "Calls we answered.",
)
EXCHANGES = Instrument(
    "http.client.request.duration",
    "histogram",
    "s",
    (
        *(PROVIDER, OPERATION, "http.request.method", "server.address", "server.port"),
        *("http.response.status_code", "error.type"),
    ),
    "Exchanges with providers.",
)
COMMITS = Instrument(
    "db.client.operation.duration",
    "histogram",
    "s",
    ("db.system.name", "db.operation.name"),
    "Batches of writes to the journal, from their sending to their commit.",
)
QUEUE = Instrument(
    "giftcard.journal.queue.duration",
    "histogram",
    "s",
    (),
    "How long the first write of each batch waited for its turn.",
)
LOOP = Instrument(
    "giftcard.loop.lag",
    "histogram",
    "s",
    (),
    "How much later than asked for the event loop woke up, each second.",
)
STATES = Instrument(
    "giftcard.transaction.states",
    "counter",
    "{transaction}",
    (OPERATION, PROVIDER, STATE),
    "Transactions that came into a state.",
)
UNRESOLVED = Instrument(
    "giftcard.transaction.unresolved",
    "counter",
    "{transaction}",
    (OPERATION, PROVIDER),
    "Transactions that became ones which only a person can end.",
)
WINDOWS = Instrument(
    "giftcard.reversal.window",
    "counter",
    "{reversal}",
    (PROVIDER, "giftcard.severity"),
    "Reversals that used up half (warning) or nine tenths (critical) of the provider's window.",
)
LEFT_OUT = Instrument(
    "giftcard.answer.left_out",
    "counter",
    "{place}",
    (PROVIDER, PLACE),
    "What could not be read of answers, and decided nothing.",
)
REFUSED = Instrument(
    "giftcard.access.refused", "counter", "{call}", (REASON, CAUSE), "Calls refused for who asked."
)
ERRORS = Instrument(
    "giftcard.call.errors",
    "counter",
    "{call}",
    (REASON, BUDGET),
    "Calls answered with an error, by its reason, and by the limit that was used up if one was.",
)
OVERLOAD = Instrument(
    "giftcard.overload.refused",
    "counter",
    "{call}",
    ("giftcard.method", CAUSE),
    "Calls refused for want of room, and of what.",
)
FAULTS = Instrument(
    "giftcard.fault", "counter", "{fault}", (PLACE, "giftcard.type"), "What should not have happened."
)
WEBHOOKS = Instrument(
    "giftcard.webhook.requests",
    "counter",
    "{request}",
    (PROVIDER, "giftcard.result"),
    "Webhooks: kept, refused (their sender's fault) or failed (ours: the sender tries again).",
)
RELOADS = Instrument(
    "giftcard.config.reloads",
    "counter",
    "{reload}",
    ("giftcard.result",),
    "Times the configuration was read again: applied, unchanged, or refused as a whole.",
)
FORGOT = Instrument(
    "giftcard.journal.forgot",
    "counter",
    "{time}",
    (),
    "Times that a copy which lacks what this process had written took the journal's place.",
)
BACKLOG = Instrument(
    "giftcard.backlog.transactions",
    "gauge",
    "{transaction}",
    (PROVIDER, STATE),
    "Transactions that are open now; UNRESOLVED waits for a person.",
    is_shared=True,
)
BACKLOG_AGE = Instrument(
    "giftcard.backlog.age",
    "gauge",
    "s",
    (PROVIDER, STATE),
    "How long ago the oldest of them was asked for; 0 without any.",
    is_shared=True,
)
LAG = Instrument(
    "giftcard.backlog.lag",
    "gauge",
    "s",
    (PROVIDER,),
    "How long the work that is due first has been due; 0 without any.",
    is_shared=True,
)
WINDOW_LEFT = Instrument(
    "giftcard.reversal.window.left",
    "gauge",
    "s",
    (PROVIDER,),
    "What is left of the provider's shortest window for the oldest reversal that is not through.",
    is_shared=True,
)
DAMAGED = Instrument(
    "giftcard.journal.damaged",
    "gauge",
    "{transaction}",
    (),
    "Transactions whose state, operation or times cannot be.",
    is_shared=True,
)
WEBHOOKS_WAITING = Instrument(
    "giftcard.webhook.waiting",
    "gauge",
    "{event}",
    (),
    "Events that wait for their transaction to be known or free, as far as they are looked at.",
    is_shared=True,
)
ELSEWHERE = Instrument(
    "giftcard.seal.elsewhere",
    "gauge",
    "{transaction}",
    ("giftcard.key_id",),
    "Open transactions whose key is not configured here.",
)
CIRCUIT = Instrument("giftcard.circuit.state", "gauge", "", (PROVIDER,), "0 closed, 1 half open, 2 open.")
PAUSED = Instrument(
    "giftcard.provider.paused",
    "gauge",
    "",
    (PROVIDER,),
    "1 while an operator has it paused, so that nothing new goes there; else 0.",
    is_shared=True,
)
PROVIDER_CALLS = Instrument(
    "giftcard.provider.in_flight",
    "gauge",
    "{exchange}",
    (PROVIDER, "giftcard.lane"),
    "Exchanges under way: of `money`, and of `reads`; each at most `max_in_flight`.",
)
PROVIDER_LIMIT = Instrument(
    "giftcard.provider.limit", "gauge", "{exchange}", (PROVIDER,), "What `max_in_flight` allows."
)
IN_FLIGHT = Instrument(
    "giftcard.call.in_flight", "gauge", "{call}", ("giftcard.lane",), "Calls and streams being answered."
)
LIMIT = Instrument(
    "giftcard.call.limit", "gauge", "{call}", ("giftcard.lane",), "How many there may be at once."
)
DRIVEN = Instrument(
    "giftcard.transaction.driven", "gauge", "{transaction}", (), "Transactions this process works on."
)
AWAY = Instrument(
    "giftcard.journal.away", "gauge", "s", (), "How long the journal cannot be written; 0 when it can."
)
POOL = Instrument(
    "db.client.connection.count",
    "gauge",
    "{connection}",
    ("db.client.connection.pool.name", "db.client.connection.state"),
    "Sessions with the journal's database.",
)
POOL_MOST = Instrument(
    "db.client.connection.max",
    "gauge",
    "{connection}",
    ("db.client.connection.pool.name",),
    "How many there may be.",
)
CONFIG_READ = Instrument(
    "giftcard.config.read_at", "gauge", "s", (), "When the configuration in force was read, in Unix time."
)
CPU = Instrument("process.cpu.time", "counter", "s", ("cpu.mode",), "CPU time used.")
MEMORY = Instrument("process.memory.usage", "gauge", "By", (), "Memory in use.")
VIRTUAL = Instrument("process.memory.virtual", "gauge", "By", (), "Address space in use.")
THREADS = Instrument("process.thread.count", "gauge", "{thread}", (), "Threads.")
FILES = Instrument(
    "process.unix.file_descriptor.count", "gauge", "{file_descriptor}", (), "Files and sockets that are open."
)
UPTIME = Instrument("process.uptime", "gauge", "s", (), "How long the process has run.")
GC_RUNS = Instrument(
    "cpython.gc.collections",
    "counter",
    "{collection}",
    ("cpython.gc.generation",),
    "Runs of the garbage collector.",
)
GC_FOUND = Instrument(
    "cpython.gc.collected_objects",
    "counter",
    "{object}",
    ("cpython.gc.generation",),
    "What they freed.",
)

HISTOGRAMS = (CALLS, EXCHANGES, COMMITS, QUEUE, LOOP)
COUNTED = (
    *(STATES, UNRESOLVED, WINDOWS, LEFT_OUT, REFUSED, OVERLOAD, ERRORS, FAULTS, WEBHOOKS, RELOADS, FORGOT),
)
SHARED = (BACKLOG, BACKLOG_AGE, LAG, WINDOW_LEFT, DAMAGED, WEBHOOKS_WAITING, PAUSED)
WATCHED = (
    *(ELSEWHERE, CIRCUIT, PROVIDER_CALLS, PROVIDER_LIMIT, IN_FLIGHT, LIMIT, DRIVEN, AWAY, POOL, POOL_MOST),
    CONFIG_READ,
    *(CPU, MEMORY, VIRTUAL, THREADS, FILES, UPTIME, GC_RUNS, GC_FOUND),
)
"""What is read at each export."""
INSTRUMENTS = (*HISTOGRAMS, *COUNTED, *SHARED, *WATCHED)
