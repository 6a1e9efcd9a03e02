"""Electrum of message base 3.25 or later, for the conformance suite: it takes amounts in advices."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.conformance.descriptors import load

_WHOLE = load(Path(__file__).with_name("electrum.py"))
SUBJECT = msgspec.structs.replace(_WHOLE, stanza={**_WHOLE.stanza, "partial_advices": True})
