"""Why a connection could not be made, in a sentence that says what to do, read from gRPC's own words."""

from __future__ import annotations

_UNTRUSTED = (
    "The gateway's certificate is signed by nobody this client trusts, or is for another name: give"
    " credentials=tls_credentials(...) with its authority, and call it by a name in the certificate."
)
_SENTENCES = {
    "WRONG_VERSION_NUMBER": (
        "The gateway does not speak TLS at this address: call a sandbox on loopback with plaintext=True."
    ),
    "CERTIFICATE_VERIFY_FAILED": _UNTRUSTED,
    # An authority that was made anew under its old name.
    "certificate signature failure": _UNTRUSTED,
    "Hostname Verification Check failed": (
        "The gateway's certificate is for another name: call it by a name in the certificate."
    ),
    "CERTIFICATE_REQUIRED": (
        "The gateway asks for a certificate of yours: give tls_credentials(certificate=..., key=...)."
    ),
    "UNKNOWN_CA": "The gateway trusts no authority of your certificate: have it signed by one it trusts.",
    "Socket closed": (
        "The connection was closed before anything was said: a gateway that speaks TLS closes plaintext=True,"
        " and one that asks for certificates closes who shows none it trusts."
    ),
}


_UNCONNECTED = ("failed to connect to all addresses", "connections to all backends failing")
"""What gRPC says of a call without a connection: to the first of the addresses, and to all to spread over."""


def explain(words: str) -> str:
    """Return what gRPC says of a call, after a sentence about it where a handshake failed."""
    if not any(sign in words for sign in _UNCONNECTED):
        return words
    sentence = next((told for sign, told in _SENTENCES.items() if sign in words), "")
    return f"{sentence} ({words})" if sentence else words
