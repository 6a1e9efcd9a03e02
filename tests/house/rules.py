"""The house rules about source, each a function from a file to the sentences that say what to mend.

Which library lives where is the table `OWNED`; to move something, change its row. Rules about whole rooms
(adapters are a leaf, a simulator never reads an adapter) are import-linter contracts in pyproject.toml.
"""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass

import giftcard_simulators
from tests.house.source import Function, Module

LONGEST_FUNCTION = 60
LONGEST_FILE = 450
# Whatever provider is played here must not be named in the gateway; Kyzpay is the company behind JeudiMerci.
PROVIDERS = (*(one.name for one in pkgutil.iter_modules(giftcard_simulators.__path__) if one.ispkg), "kyzpay")
VAGUE = {"base", "common", "core", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}

GATEWAY = "giftcard_gateway"
ADAPTERS = "giftcard_adapters"
SIMULATORS = "giftcard_simulators"
CONFORMANCE = "giftcard_conformance"

# What draws from the process's own chance. A `random.Random(seed)` repeats, and may live anywhere.
CHANCE = (
    *(
        "SystemRandom",
        "choice",
        "choices",
        "expovariate",
        "gauss",
        "getrandbits",
        "normalvariate",
        "randbytes",
    ),
    *("randint", "random", "randrange", "sample", "shuffle", "triangular", "uniform"),
)


@dataclass(frozen=True)
class Owned:
    """Names that only some modules may use, and the sentence for everyone else."""

    names: tuple[str, ...]
    owners: tuple[str, ...]
    sentence: str


OWNED = (
    Owned(
        ("grpc", "grpc_channelz", "grpc_health", "grpc_reflection", "grpc_status"),
        # The demo is a caller, and a stream's fault is gRPC's own.
        (*(f"{GATEWAY}.{name}" for name in ("rpc", "services", "wire")), "giftcard_demo"),
        "grpc belongs to the gateway's rpc, services and wire; hand them plain values",
    ),
    Owned(
        ("giftcard.v1", "google.api", "google.protobuf", "google.rpc"),
        # The command line, the console and the demo are callers like any other.
        (
            *(f"{GATEWAY}.{name}" for name in ("cli", "http.console", "rpc", "services", "wire")),
            "giftcard_demo",
        ),
        "messages of the wire stop at services and wire; use giftcard_adapters.values",
    ),
    Owned(
        ("httpx",),
        (
            *(
                f"{ADAPTERS}.{name}"
                for name in ("connection", "exchange", "http1", "roundtrip", "stanza", "transport")
            ),
            f"{SIMULATORS}.transport",
            f"{CONFORMANCE}.wires",
            f"{GATEWAY}.telemetry",
        ),
        "talking to a provider is giftcard_adapters.exchange, which knows what was surely not sent",
    ),
    Owned(
        ("sqlite3", "asyncpg"),
        (f"{GATEWAY}.journal",),
        "databases belong to giftcard_gateway.journal; ask the journal for what you need",
    ),
    Owned(
        ("pkcs11",),
        (f"{GATEWAY}.kms.pkcs11",),
        "tokens are spoken to by giftcard_gateway.kms.pkcs11; ask a KeyService",
    ),
    Owned(
        ("opentelemetry.sdk", "opentelemetry.exporter"),
        (f"{GATEWAY}.telemetry",),
        "the SDK is set up once, in giftcard_gateway.telemetry; elsewhere use opentelemetry-api",
    ),
    Owned(
        ("os.environ", "os.getenv"),
        (f"{GATEWAY}.config", f"{GATEWAY}.__main__"),
        "the environment is read in giftcard_gateway.config; take the value as a setting",
    ),
    Owned(
        (
            "datetime.date.today",
            *(f"datetime.datetime.{name}" for name in ("now", "today", "utcnow")),
            *(f"time.{name}{ns}" for name in ("monotonic", "perf_counter", "time") for ns in ("", "_ns")),
            "time.sleep",
        ),
        (f"{GATEWAY}.clock",),
        "time comes from giftcard_gateway.clock, so that a test can turn it; "
        "adapters and simulators get it handed in",
    ),
    Owned(
        (*(f"random.{name}" for name in CHANCE), *(f"uuid.uuid{version}" for version in (1, 4, 6, 7, 8))),
        (f"{GATEWAY}.clock",),
        "chance and fresh ids come from giftcard_gateway.clock, so that one seed makes one run",
    ),
    Owned(
        ("secrets", "os.urandom"),
        (f"{GATEWAY}.clock", f"{GATEWAY}.seal"),
        "strong chance belongs to giftcard_gateway.clock (ids) and giftcard_gateway.seal (keys and nonces)",
    ),
)


def within(name: str, prefixes: tuple[str, ...]) -> bool:
    """Tell whether a dotted name is one of these or lies below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def strangers(module: Module) -> Iterator[str]:
    """Find names used outside the modules that own them."""
    uses = sorted(set(module.uses()))
    for owned in OWNED:
        if not within(module.name, owned.owners):
            for line, used in uses:
                if within(used, owned.names):
                    yield f"{module.path}:{line}: {used}: {owned.sentence}"


def provider_names(module: Module) -> Iterator[str]:
    """Find a provider's name in the gateway, which knows providers only through its configuration."""
    pattern = re.compile("|".join(PROVIDERS), re.IGNORECASE)
    if within(module.name, (GATEWAY,)):
        for number, line in enumerate(module.text.splitlines(), start=1):
            if found := pattern.search(line):
                yield (
                    f"{module.path}:{number}: the gateway never names a provider ({found[0]}); "
                    "what differs between providers belongs to the adapter, its traits or the configuration"
                )


def vague_names(module: Module) -> Iterator[str]:
    """Find modules and classes whose name says nothing."""
    stem = module.name.rsplit(".", 1)[-1]
    if VAGUE & set(stem.strip("_").split("_")):
        yield f"{module.path}: the name {stem} says nothing; name the module after what lives there"
    for node in module.classes():
        if VAGUE & {word.lower() for word in re.findall(r"[A-Z][a-z0-9]*", node.name)}:
            yield f"{module.path}:{node.lineno}: the name {node.name} says nothing; say what the class is"


def length(function: Function) -> int:
    """Count a function's lines, its docstring left out: a reader skips or wants it, but need not hold it."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def long_functions(module: Module) -> Iterator[str]:
    """Find functions that do not fit on a screen."""
    for node in module.functions():
        if length(node) > LONGEST_FUNCTION:
            yield (
                f"{module.path}:{node.lineno}: {node.name} has {length(node)} lines, "
                f"more than {LONGEST_FUNCTION}; give its parts names of their own"
            )


def long_files(module: Module) -> Iterator[str]:
    """Find files that hold more than one thing."""
    lines = module.text.count("\n")
    if lines > LONGEST_FILE:
        yield f"{module.path}: {lines} lines, more than {LONGEST_FILE}; two things live here, split them"


def silent_modules(module: Module) -> Iterator[str]:
    """Find files that do not say what lives there; an empty __init__ holds nothing to say."""
    if module.text.strip() and ast.get_docstring(module.tree) is None:
        yield f"{module.path}: begin with a docstring that says what lives here and what does not"


def silent_tests(module: Module) -> Iterator[str]:
    """Find tests that do not state the fact they prove."""
    if module.path.startswith("tests/"):
        for node in module.functions():
            if node.name.startswith("test_") and ast.get_docstring(node) is None:
                yield f"{module.path}:{node.lineno}: {node.name} must state the fact it proves"


def bare_ignores(module: Module) -> Iterator[str]:
    """Find silenced findings without a rule's name and a reason."""
    silenced = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma:)")
    reasoned = re.compile(
        r"#\s*(?:noqa:[\s\w,]+|type:\s*ignore\[[\w\s,-]+\]|pragma:\s*[\w ]+)\W+(?:\w+\W+){2,}"
    )
    for number, line in enumerate(module.text.splitlines(), start=1):
        if silenced.search(line) and not reasoned.search(f"{line}\n"):
            yield f"{module.path}:{number}: name the rule and the reason: # noqa: S607 - any git will do"


RULES = (
    strangers,
    provider_names,
    vague_names,
    long_functions,
    long_files,
    silent_modules,
    silent_tests,
    bare_ignores,
)
