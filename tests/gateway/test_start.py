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
