"""What a start loads: every module of it is waited for, and kept in memory, by who has no use for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASKED = "import sys, giftcard_gateway.process.serving; print({module!r} in sys.modules)"


@pytest.mark.parametrize(
    "module", ["aiohttp", "cryptography.x509", "giftcard.client", "giftcard_simulators", "jinja2"]
)
def test_what_is_not_configured_is_not_loaded(module: str) -> None:
    """No HTTP server without webhooks or a console, no PEM readers without TLS, and not our own client."""
    code = ASKED.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


WITH_CORES = """
import resource
from giftcard_gateway.process import loop

_, hard = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

async def nothing(): pass

loop.run(nothing())
print(resource.getrlimit(resource.RLIMIT_CORE)[0], hard)
"""


def test_no_core_is_left() -> None:
    """Where cores are allowed, none is written of a process of ours: one byte is none to the kernel."""
    done = subprocess.run([sys.executable, "-c", WITH_CORES], capture_output=True, text=True, check=True)
    limit, hard = map(int, done.stdout.split())
    assert limit == (0 if hard == 0 else 1)
