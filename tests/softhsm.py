"""A token of SoftHSM's for tests, made by its own programs and never by the library that is tested.

Its keys lie in files under a folder of the test's. SoftHSM finds them by the variable SOFTHSM2_CONF.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from giftcard_adapters.values.secret import Secret
from giftcard_gateway.kms.settings import Pkcs11Settings

PIN = "48392017556612"
LABEL, KEY = "gateway", "wrapping"
_LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


def library() -> str:
    """Return SoftHSM's library, empty where SoftHSM is not on this machine."""
    found = next((path for path in _LIBRARIES if Path(path).exists()), "")
    return found if _program() else ""


def _program() -> str:
    return shutil.which("softhsm2-util") or ""


@dataclass(frozen=True)
class Token:
    """A token with one AES key, `KEY`."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        """What leads a process to this token."""
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    @property
    def tokens(self) -> Path:
        """The folder that the token lies in; without it the token is away."""
        return self.folder / "tokens"

    def settings(self, **changes: str) -> Pkcs11Settings:
        """Return the settings that lead to its key, but for the changes."""
        texts = {"module": library(), "token": LABEL, "key": KEY, "pin": PIN, **changes}
        return Pkcs11Settings(
            module=texts["module"], token=texts["token"], key=texts["key"], pin=Secret(texts["pin"])
        )

    def add_key(self, label: str, key: bytes) -> None:
        """Put an AES key into the token; one with a zero byte comes out of SoftHSM's program cut off."""
        file = self.folder / f"{key[:4].hex()}.key"
        file.write_bytes(key)
        self._run("--import", str(file), "--aes", "--label", label, "--id", key[:4].hex(), "--token", LABEL)

    def add_token(self) -> None:
        """Make a token of the same label."""
        self._run("--init-token", "--free", "--label", LABEL, "--so-pin", PIN[::-1])

    def _run(self, *words: str) -> None:
        subprocess.run([_program(), *words, "--pin", PIN], env=self.environ, check=True, capture_output=True)


def make_token(folder: Path) -> Token:
    """Make a token in a new folder."""
    token = Token(folder)
    token.tokens.mkdir(parents=True)
    conf = f"directories.tokendir = {token.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
    (folder / "softhsm2.conf").write_text(conf, encoding="utf-8")
    token.add_token()
    token.add_key(KEY, bytes(range(150, 182)))
    return token
