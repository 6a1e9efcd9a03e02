"""The providers of the frozen rounds, as a process of their own: `python -m tests.crash.frozen.provider`.

Electrum forgets a reversal that came before its request, as its own test server does. The process prints
where each provider listens, as one line of JSON, and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial

from giftcard_gateway.clock import SystemClock
from giftcard_simulators.catalogue import SANDBOXES
from giftcard_simulators.electrum.simulator import ElectrumSimulator
from giftcard_simulators.serve import serve
from tests.world.app import HOST


async def main() -> None:
    """Serve every simulated provider on a free port."""
    clock, urls = SystemClock(), {}
    for sandbox in SANDBOXES:
        make = sandbox.make
        if make is ElectrumSimulator:
            make = partial(ElectrumSimulator, remembers_reversals=False)
        served = await serve(make(now=clock.now, ids=clock.uuid4), HOST, 0)
        urls[sandbox.provider_id] = served.url
    sys.stdout.write(json.dumps(urls) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
