"""What of an event may stand in clear columns: a name that is a token, and an id without a number in it.

Both come from the provider, and nobody promises that no card is in them. What is no such name is replaced by
a neutral one, and an id with a long number in it by a keyed hash; the provider's own words are kept sealed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.scrub import mask
from giftcard_adapters.values.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from giftcard_adapters.values.reads import ProviderEvent
    from giftcard_gateway.seal import HashKey

UNNAMED = "unnamed"
"""The name of an event whose own may not be told."""
UNREADABLE = "unreadable"
"""The name of an authentic event that nobody could read; its id is a hash, and its body is kept sealed."""
HIDDEN = "hidden-"
"""What an event's id begins with where its own may not be told."""

_WORD = "[A-Za-z]{1,32}[0-9]{0,3}"
_TOKEN = re.compile(rf"{_WORD}(?:[._:/-]{_WORD}){{0,7}}", re.ASCII)
"""Words with a few digits at most, as in `payment-method.updated.v2`: so are all that are documented."""
_ID = re.compile(r"[\x20-\x7e]{1,512}", re.ASCII)
_IS_HIDDEN = re.compile(f"{HIDDEN}[0-9a-f]{{32}}")
_NUMBER = 8
"""Digits in a row, whatever stands between them, that may be a card's: shorter than any card number."""


def harmless(event: ProviderEvent, provider_id: str, key: HashKey) -> ProviderEvent:
    """Return an event as it is kept."""
    if event.name == UNREADABLE:
        return event
    secrets = dict(event.secrets)
    name, event_id = event.name, event.event_id
    if not _TOKEN.fullmatch(name):
        name, secrets["name"] = UNNAMED, Secret(event.name)
    if not _is_free_of_numbers(event_id):
        event_id, secrets["event_id"] = _hidden(event_id, provider_id, key), Secret(event_id)
    if len(secrets) == len(event.secrets):
        return event
    kept = {key: value for key, value in secrets.items() if value.reveal()}
    return msgspec.structs.replace(event, name=name, event_id=event_id, secrets=kept)


def is_hidden(event_id: str) -> bool:
    """Tell whether an id is one that was made here in the place of the provider's own."""
    return _IS_HIDDEN.fullmatch(event_id) is not None


def other_ids(event: ProviderEvent, provider_id: str, keys: Sequence[HashKey]) -> Sequence[str]:
    """Return under what other ids an event may be there: hidden by another key, or by no key at all."""
    if _is_free_of_numbers(event.event_id):
        return ()
    return (event.event_id, *(_hidden(event.event_id, provider_id, key) for key in keys[1:]))


def _is_free_of_numbers(event_id: str) -> bool:
    return bool(_ID.fullmatch(event_id)) and mask(event_id, _NUMBER) == event_id


def _hidden(event_id: str, provider_id: str, key: HashKey) -> str:
    return HIDDEN + key.blind_index("event", f"{provider_id}\0{event_id}").hex()
