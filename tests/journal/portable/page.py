"""The tables of docs/portability.md, from what is known of engines, features and statements."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

from giftcard_gateway.journal import postgres
from giftcard_gateway.journal.postgres import schema
from tests.journal.portable.features import FEATURES, Engine, Feature, Travels, Verdict
from tests.journal.portable.reading import PLAIN_DDL, read
from tests.journal.portable.rows import STATEMENTS, Known, Reach

_SQL = re.compile(r"[\s(]*(WITH|SELECT|INSERT|UPDATE|DELETE)\s")
"""How a statement begins; names and parts of statements do not."""
_IN_ONE = {Reach.ONE, Reach.EVERYWHERE}


def sent() -> Mapping[str, str]:
    """Return the SQL of every statement that a running journal sends, by name."""
    modules = (
        import_module(f"{postgres.__name__}.{each.name}") for each in pkgutil.iter_modules(postgres.__path__)
    )
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str) and _SQL.match(value)
    }


def steps() -> Mapping[str, str]:
    """Return the SQL that makes the schema, by the name of its file."""
    folder = Path(schema.__file__).parent
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.sql"))}


def hindrances(engine: Engine, known: Known) -> list[Feature]:
    """Return the features for which a statement does not do there what it does in PostgreSQL."""
    return [one for one in known.features if not _holds(one.verdicts[engine], known.reach)]


def _holds(verdict: Verdict, reach: Reach) -> bool:
    return verdict.travels is Travels.HOLDS or (verdict.travels is Travels.ONE_SHARD and reach in _IN_ONE)


def features_table() -> str:
    """Return the table of features and engines."""
    lines = [[one.name, *(_told(one.verdicts[engine]) for engine in Engine)] for one in FEATURES]
    return _table(["feature", *Engine], lines)


def statements_table() -> str:
    """Return the table of statements and engines, with a line that counts them."""
    lines = [
        [
            f"`{known.name}`",
            known.does,
            f"{known.reach}, by `{known.key}`" if known.key else str(known.reach),
            *(_hindered(engine, known) for engine in Engine),
        ]
        for known in STATEMENTS
    ]
    counts = [sum(not hindrances(engine, known) for known in STATEMENTS) for engine in Engine]
    total = ["all of them", "", "", *(f"{count} of {len(STATEMENTS)} hold" for count in counts)]
    return _table(["statement", "does", "touches", *Engine], [*lines, total])


def steps_table() -> str:
    """Return the table of the schema's steps and what each uses."""
    lines = [
        [f"`{name}`", *_joined_per_engine(read(sql, PLAIN_DDL).features)] for name, sql in steps().items()
    ]
    return _table(["file", *Engine], lines)


def _joined_per_engine(used: Iterable[Feature]) -> list[str]:
    ordered = [one for one in FEATURES if one in set(used)]
    return [
        _listed([one for one in ordered if one.verdicts[engine].travels is not Travels.HOLDS])
        for engine in Engine
    ]


def _hindered(engine: Engine, known: Known) -> str:
    return _listed(hindrances(engine, known))


def _listed(found: Iterable[Feature]) -> str:
    names = [one.name for one in found]
    return f"no: {', '.join(names)}" if names else "holds"


def _told(verdict: Verdict) -> str:
    words = f"{verdict.travels}: {verdict.why}" if verdict.why else str(verdict.travels)
    return f"{words} ({verdict.known})"


def _table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    shown = [list(head), *map(list, lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (shown[0], ["---"] * len(shown[0]), *shown[1:]))
