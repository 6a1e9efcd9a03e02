"""Electrum's gift card service, played by us: all 19 operations under `/giftcard/v3`.

`simulator` answers requests, `rules` is what it may and may not do to cards, `messages` and
`values` are what it reads, `books` is what it opens with.
"""

from giftcard_adapters.simulators.electrum.books import sandbox_settings
from giftcard_adapters.simulators.electrum.simulator import ElectrumSimulator

__all__ = ["ElectrumSimulator", "sandbox_settings"]
