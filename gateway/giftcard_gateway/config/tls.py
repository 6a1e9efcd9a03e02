"""The certificate a listener shows, its key, and whose certificates it asks for.

What can be negotiated is one named profile for every port of ours:

    intermediate    TLS 1.2 and 1.3; of 1.2 only suites with forward secrecy and authenticated encryption
    modern          TLS 1.3 alone
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm

from giftcard_gateway.config.secret_files import exposed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

Profile = Literal["intermediate", "modern"]

SUITES = ":".join(
    f"ECDHE-{kind}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for kind in ("ECDSA", "RSA")
)
"""The suites of TLS 1.2 in the intermediate profile, by OpenSSL's names. Those of TLS 1.3 are all good."""


GRPC_SUITES = "GRPC_SSL_CIPHER_SUITES"
_NONE_OF_1_2 = "ECDHE-PSK-AES128-CBC-SHA"
"""A suite of TLS 1.2 whose shared key nobody has: gRPC can be told suites, and no lowest version."""


def grpc_suites(profile: Profile) -> str:
    """Return what `GRPC_SUITES` must be in the environment, before gRPC is imported, for a profile."""
    return _NONE_OF_1_2 if profile == "modern" else SUITES


class ListenerTls(msgspec.Struct, frozen=True, kw_only=True):
    """[server.tls], [webhooks.tls] and [console.tls]: PEM files, read again when they change."""

    certificate_file: str
    """The certificate, and those between it and its authority."""
    key_file: str
    client_ca_file: str | None = None
    """Authorities of callers' certificates; given, every caller must show one."""
    profile: Profile = "intermediate"

    @property
    def files(self) -> dict[str, str]:
        """Each file that is named, by its key."""
        named = {
            "certificate_file": self.certificate_file,
            "key_file": self.key_file,
            "client_ca_file": self.client_ca_file,
        }
        return {key: file for key, file in named.items() if file}


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """What the files hold, fit for each other."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None

    def __repr__(self) -> str:
        """Show nothing: the key is a secret."""
        return "Chain(hidden)"


class ChainUnusable(ValueError):
    """The files cannot be used; `faults` says for each key what is wrong, and shows no content."""

    def __init__(self, faults: dict[str, str]) -> None:
        """Keep every fault."""
        super().__init__("; ".join(f"{key} {fault}" for key, fault in faults.items()))
        self.faults = faults


def read_chain(tls: ListenerTls) -> Chain:
    """Return what the files hold; raise ChainUnusable."""
    read = {"certificate_file": _public_of_certificate, "key_file": _public_of_key, "client_ca_file": _any}
    content: dict[str, bytes] = {}
    publics: dict[str, bytes] = {}
    faults: dict[str, str] = {}
    for key, file in tls.files.items():
        try:
            content[key] = Path(file).read_bytes()
            publics[key] = read[key](content[key])
        except OSError:
            faults[key] = "names a file that cannot be read"
        except TypeError:
            faults[key] = "holds a key with a password, which cannot be asked for: store it without one"
        except (ValueError, UnsupportedAlgorithm):
            faults[key] = "holds no PEM of the kind"
    if "key_file" not in faults and (why := exposed(Path(tls.key_file))):
        faults["key_file"] = why
    if not faults and publics["certificate_file"] != publics["key_file"]:
        faults["key_file"] = "holds the key of another certificate"
    if faults:
        raise ChainUnusable(faults)
    return Chain(
        certificate=content["certificate_file"],
        key=content["key_file"],
        client_ca=content.get("client_ca_file"),
    )


# What reads PEM is imported here: who uses no TLS need not wait for it at every start.
def _any(pem: bytes) -> bytes:
    """Return nothing of certificates that can be read; whatever they are of may be an authority."""
    from cryptography import x509  # noqa: PLC0415 - see above

    x509.load_pem_x509_certificates(pem)
    return b""


def _public_of_certificate(pem: bytes) -> bytes:
    from cryptography import x509  # noqa: PLC0415 - see above

    return _told(x509.load_pem_x509_certificates(pem)[0].public_key())


def _public_of_key(pem: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - see above

    return _told(load_pem_private_key(pem, password=None).public_key())


def _told(key: PublicKeyTypes) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above

    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
