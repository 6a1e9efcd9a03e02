"""Our source keeps the house rules, and each rule can tell right from wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.house import rules
from tests.house.source import Module, modules

Rule = Callable[[Module], Iterator[str]]

# Which files a rule reads. Tests may use any library: the rooms are for what we ship.
SHIPPED = ("adapters/", "gateway/")
READS: dict[Rule, tuple[str, ...]] = {rules.strangers: SHIPPED}

GATEWAY = "gateway/giftcard_gateway/providers/routing.py"
SIMULATOR = "adapters/giftcard_simulators/electrum.py"


def module(path: str, text: str) -> Module:
    """Make a file that is not there."""
    name = path.removeprefix("gateway/").removeprefix("adapters/").removesuffix(".py").replace("/", ".")
    return Module(path, name, text)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rules(rule: Rule) -> None:
    """No file of ours breaks this rule; what does is listed with where it belongs."""
    broken = [sentence for each in modules(*READS.get(rule, ())) for sentence in rule(each)]
    assert not broken, "\n" + "\n".join(broken)


BROKEN: list[tuple[Rule, str, str]] = [
    (rules.strangers, GATEWAY, "import grpc"),
    (rules.strangers, GATEWAY, "from grpc import aio"),
    (rules.strangers, GATEWAY, "import httpx as h"),
    (rules.strangers, GATEWAY, "import google.protobuf.message"),
    (rules.strangers, GATEWAY, "from giftcard.v1 import card_pb2"),
    (rules.strangers, GATEWAY, "from opentelemetry.sdk import trace"),
    (rules.strangers, GATEWAY, "import os\nos.environ['X']"),
    (rules.strangers, GATEWAY, "from os import environ as e"),
    (rules.strangers, GATEWAY, "from datetime import datetime as d\nd.now()"),
    (rules.strangers, GATEWAY, "import datetime as dt\ndt.datetime.now()"),
    (rules.strangers, GATEWAY, "import time\ntime.monotonic()"),
    (rules.strangers, GATEWAY, "from time import time_ns"),
    (rules.strangers, GATEWAY, "import uuid\nuuid.uuid4()"),
    (rules.strangers, GATEWAY, "import random\nrandom.random()"),
    (rules.strangers, GATEWAY, "from random import choice"),
    (rules.strangers, SIMULATOR, "import sqlite3"),
    (rules.strangers, "adapters/giftcard_adapters/electrum.py", "import secrets"),
    (rules.provider_names, GATEWAY, "# as Electrum does"),
    (rules.vague_names, "gateway/giftcard_gateway/utils.py", ""),
    (rules.vague_names, "gateway/giftcard_gateway/http_helpers.py", ""),
    (rules.vague_names, GATEWAY, "class RouteManager: ..."),
    (rules.long_functions, GATEWAY, "def f():\n" + "    f()\n" * 60),
    (rules.long_files, GATEWAY, "x = 1\n" * 451),
    (rules.silent_modules, GATEWAY, "x = 1"),
    (rules.silent_tests, "tests/test_x.py", "async def test_x(): ..."),
    (rules.bare_ignores, GATEWAY, "import x  # no" + "qa"),
    (rules.bare_ignores, GATEWAY, "import x  # no" + "qa: F401"),
    (rules.bare_ignores, GATEWAY, "import x  # type: " + "ignore[import]"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN)
def test_a_rule_finds_what_breaks_it(rule: Rule, path: str, text: str) -> None:
    """A file that breaks a rule is found."""
    assert list(rule(module(path, text)))


KEPT: list[tuple[Rule, str, str]] = [
    (rules.strangers, "gateway/giftcard_gateway/services/transactions.py", "import grpc"),
    (rules.strangers, "gateway/giftcard_gateway/clock.py", "import time\ntime.time()"),
    (rules.strangers, GATEWAY, "from datetime import datetime\ndatetime.fromisoformat('2026-11-21')"),
    (rules.strangers, GATEWAY, "import uuid\nuuid.UUID('')"),
    (rules.strangers, GATEWAY, "import random\nrandom.Random(7).random()"),
    (rules.strangers, GATEWAY, "entry.random = clock.now()"),
    (rules.provider_names, "adapters/giftcard_adapters/electrum.py", "# Electrum"),
    (rules.vague_names, GATEWAY, "class Database: ..."),
    (rules.long_functions, GATEWAY, "def f():\n    '''" + "x\n" * 60 + "'''\n"),
    (rules.silent_modules, "gateway/giftcard_gateway/__init__.py", ""),
    (rules.silent_tests, "tests/test_x.py", "def test_x():\n    '''It is so.'''"),
    (rules.bare_ignores, GATEWAY, "import x  # no" + "qa: F401 - the reader's name for it"),
    (rules.bare_ignores, GATEWAY, "import x  # type: " + "ignore[import]  # it ships no types"),
]


@pytest.mark.parametrize(("rule", "path", "text"), KEPT)
def test_a_rule_lets_pass_what_keeps_it(rule: Rule, path: str, text: str) -> None:
    """A file that keeps a rule is not bothered."""
    assert list(rule(module(path, text))) == []
