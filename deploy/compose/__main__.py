"""Puts into a folder what deploy/compose.yaml needs and no repository holds: fresh keys, and Envoy's files.

    python -m deploy.compose build/compose

Keys that are there stay: the journal could not be read without them.
"""

from __future__ import annotations

import base64
import secrets
import sys
from pathlib import Path

from deploy.envoy.__main__ import prepare

GATEWAYS = (50051, 50052)
"""Their ports on loopback, as in compose.yaml."""


def key() -> str:
    """Return a fresh key of 32 bytes, in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def furnish(folder: Path) -> None:
    """Fill a folder; what Envoy reads is made anew."""
    prepare(folder / "envoy", GATEWAYS, plain="0.0.0.0")  # noqa: S104 - only what the room publishes is reached
    password = secrets.token_urlsafe(24)
    url = f"postgresql://giftcards:{password}@127.0.0.1:5432/giftcards"
    gateway = {"GIFTCARD_JOURNAL_URL": url, "HASH_KEY": key(), "SEAL_KEY": key()}
    if not (folder / "gateway.env").exists():
        keep(folder / "postgres.env", {"POSTGRES_PASSWORD": password})
        keep(folder / "gateway.env", gateway)


def keep(path: Path, values: dict[str, str]) -> None:
    """Write variables into a file that its owner alone can read."""
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")


if __name__ == "__main__":
    furnish(Path(sys.argv[1]))
