"""One word per thing: no two public classes of our packages have one name."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from tests.house.source import Module, modules

PACKAGES = ("adapters/", "gateway/", "clients/python/src/")
ADAPTER_AND_SIMULATOR = re.compile(r"giftcard_(?:adapters|simulators)\.(\w+)\.\w+")

_CLIENT = "the client is a distribution of its own, whose callers never import the server"
_SECTION = "a section of the configuration is named after what it sets up"
ALLOWED: Mapping[str, str] = {
    "InvalidRequest": _CLIENT,
    "NoAnswer": _CLIENT,
    "Reply": _CLIENT,
    "Script": _CLIENT,
    "Unavailable": _CLIENT,
    "Unsupported": _CLIENT,
    "Violation": _CLIENT,
    "Journal": _SECTION,
    "Provider": _SECTION,
    "Seal": _SECTION,
    "Server": _SECTION,
    "Telemetry": _SECTION,
    "Work": "what runs on a connection, of either database's own type",
    "Settings": "the gateway has settings as each provider has",
}


def names(module: Module) -> Iterator[str]:
    """Give the public classes and type aliases that a module defines."""
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        # An alias is written in CamelCase; a TypeVar is a call, and belongs to the functions around it.
        if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call):
            yield from (
                target.id
                for target in node.targets
                if isinstance(target, ast.Name) and re.fullmatch(r"[A-Z]\w*[a-z]\w*", target.id)
            )


def shared(files: Iterable[Module]) -> dict[str, list[str]]:
    """Give each public name that more than one module defines, with where."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for module in files:
        for name in names(module):
            if not name.startswith("_"):
                places[name].append(module.name)
    return {name: found for name, found in places.items() if len(found) > 1 and not is_one_message(found)}


def is_one_message(places: Iterable[str]) -> bool:
    """Tell whether an adapter and its simulator each describe the same message of one provider."""
    found = [ADAPTER_AND_SIMULATOR.fullmatch(place) for place in places]
    packages = {place.partition(".")[0] for place in places}
    return (
        len(packages) == len(found) and len({each and each[1] for each in found} - {None}) == 1 and all(found)
    )


def test_one_word_per_thing() -> None:
    """No public class or type alias of one module has the name of another's, but for a reasoned few."""
    broken = {name: places for name, places in shared(modules(*PACKAGES)).items() if name not in ALLOWED}
    assert not broken, "\n" + "\n".join(
        f"{name} is defined in {', '.join(places)}; say in the name whose it is"
        for name, places in broken.items()
    )


def made(name: str, text: str) -> Module:
    """Make a module that is not there."""
    return Module(f"adapters/{name.replace('.', '/')}.py", name, text)


def test_a_second_meaning_is_found() -> None:
    """Two classes, or a class and an alias, of one name are found; private ones and TypeVars are not."""
    one = made(
        "giftcard_adapters.values.cards",
        "class Card: ...\nclass _Odd: ...\nT = TypeVar('T')\nPin = int | str",
    )
    two = made(
        "giftcard_simulators.bank", "class Card: ...\nclass _Odd: ...\nT = TypeVar('T')\nclass Pin: ..."
    )
    assert set(shared([one, two])) == {"Card", "Pin"}


def test_a_provider_may_be_read_twice() -> None:
    """An adapter and its own simulator may both describe one message; two providers may not share a name."""
    wire = made("giftcard_adapters.electrum.wire", "class LedgerAmount: ...")
    own = made("giftcard_simulators.electrum.values", "class LedgerAmount: ...")
    other = made("giftcard_simulators.gr4vy.messages", "class LedgerAmount: ...")
    assert shared([wire, own]) == {}
    assert set(shared([wire, other])) == {"LedgerAmount"}
