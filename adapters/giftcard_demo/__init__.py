"""The demo: plays gift card operations on a sandbox, step by step, with balances.

It names no provider: each chapter is played at a provider that has the operations it needs, through
the Python client. `chapters` holds the steps, `teller` makes the calls and words the results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from giftcard import v1
from giftcard_demo.chapters import CHAPTERS
from giftcard_demo.teller import NoSandbox, Step, Teller
from giftcard_simulators.catalogue import sandboxes_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from giftcard import Client

__all__ = ["Chapter", "NoSandbox", "Step", "story"]


class Chapter(NamedTuple):
    """A title, the provider it plays at, and its steps as they happen."""

    title: str
    provider: str
    steps: Iterator[Step]


def story(client: Client, host: str, port: int) -> Iterator[Chapter]:
    """Play every chapter that some provider supports, on the sandbox whose gateway is `host`:`port`.

    Raises NoSandbox when a real gateway answers there.
    """
    listed = {one.provider: one for one in client.list_providers().providers}
    sandboxes = {one.provider_id: one for one in sandboxes_at(port)}
    if not listed.keys() <= sandboxes.keys():
        raise NoSandbox("the gateway that answers is not a sandbox; the demo only plays with made-up money")
    for title, needed, cards, tell in CHAPTERS:
        for provider_id, provider in listed.items():
            if needed in _abilities(provider) and cards <= sandboxes[provider_id].demo_cards.keys():
                teller = Teller(client, host, sandboxes[provider_id])
                teller.reset()
                yield Chapter(title, provider_id, tell(teller))


def _abilities(provider: v1.Provider) -> set[str]:
    """Return what a chapter may need: capabilities by name, and operations as `TRANSFER:NATIVE`."""
    operations = {
        f"{_short(v1.Operation.Name(one.operation))}:{_short(v1.Guarantee.Name(one.guarantee))}"
        for one in provider.operations
    }
    return operations | {v1.Capability.Name(one).removeprefix("CAPABILITY_") for one in provider.capabilities}


def _short(name: str) -> str:
    return name.partition("_")[2]
