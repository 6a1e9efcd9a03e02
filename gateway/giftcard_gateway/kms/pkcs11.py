"""The key service that speaks PKCS#11: an HSM, or SoftHSM, which keeps its keys in files.

AES-GCM, because tokens widely have it for encryption and decryption, and because it binds a wrapped key to
its name. What `wrap` returns is `format | nonce | ciphertext`; the nonce is the token's own chance.
PKCS#11 knows no cause of a fault by words: its names for them (CKR_…) are told as the library writes them.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pkcs11
from pkcs11.exceptions import MultipleTokensReturned, NoSuchToken, PinIncorrect, PKCS11Error

from giftcard_gateway.kms.contract import KmsFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from giftcard_gateway.kms.contract import KeyService
    from giftcard_gateway.kms.settings import Pkcs11Settings

_FORMAT = b"\x01"
_NONCE_BYTES = 12
_TAG_BITS = 128


@contextmanager
def signed_in(settings: Pkcs11Settings) -> Iterator[KeyService]:
    """Sign in to the token for the time of a block; raise KmsFault.

    The maker's library is let go at the end, so that a gateway which serves has no tie to its token.
    """
    library = _library(settings.module)
    try:
        with _session(library, settings) as session:
            yield Pkcs11(session, _key(session, settings))
    finally:
        _left(library.finalize)


class Pkcs11:
    """An AES key in a token, in a session that is signed in."""

    def __init__(self, session: pkcs11.Session, key: Any) -> None:  # noqa: ANN401 - its class is made as it is read
        self._session = session
        self._key = key

    def wrap(self, key: bytes, name: str) -> bytes:
        """Return the format, a new nonce and the ciphertext."""
        try:
            nonce = self._session.generate_random(8 * _NONCE_BYTES)
            return _FORMAT + nonce + bytes(self._key.encrypt(key, **_way(nonce, name)))
        except PKCS11Error as fault:
            raise KmsFault(f"the token does not wrap ({_name(fault)})") from None

    def unwrap(self, wrapped: bytes, name: str) -> bytes:
        """Return the key."""
        nonce, ciphertext = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        if wrapped[:1] != _FORMAT or 8 * len(ciphertext) <= _TAG_BITS:
            raise KmsFault("it was not wrapped so, or is cut off")
        try:
            return bytes(self._key.decrypt(ciphertext, **_way(nonce, name)))
        except PKCS11Error as fault:
            raise KmsFault(
                f"the token refuses it ({_name(fault)}), as when it was altered, or wrapped for another"
                " setting or by another key"
            ) from None


def _library(module: str) -> Any:  # noqa: ANN401 - the package exports no name for it
    try:
        return pkcs11.lib(module)
    except PKCS11Error as fault:
        if type(fault) is PKCS11Error:
            # The library has no name for what the system says of a file; the rest are its module's own.
            why = "is not there, or is no library that speaks PKCS#11"
        else:
            why = f"does not begin ({_name(fault)}): its own configuration may be missing"
        raise KmsFault(f"the module {module} {why}") from None


@contextmanager
def _session(library: Any, settings: Pkcs11Settings) -> Iterator[pkcs11.Session]:  # noqa: ANN401 - as above
    try:
        session = library.get_token(token_label=settings.token).open(user_pin=settings.pin.reveal())
    except NoSuchToken:
        raise KmsFault(f"the token {settings.token!r} is not there") from None
    except MultipleTokensReturned:
        raise KmsFault(f"there are several tokens {settings.token!r}") from None
    except PinIncorrect:
        raise KmsFault(f"the PIN is not that of the token {settings.token!r}") from None
    except PKCS11Error as fault:
        raise KmsFault(f"the token {settings.token!r} lets nobody in ({_name(fault)})") from None
    try:
        yield session
    finally:
        _left(session.close)


def _key(session: pkcs11.Session, settings: Pkcs11Settings) -> Any:  # noqa: ANN401 - its class is made as it is read
    wanted = {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
        pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.AES,
        pkcs11.Attribute.LABEL: settings.key,
    }
    try:
        # `get_key` would leave its search open when there are several.
        found = list(session.get_objects(wanted))
    except PKCS11Error as fault:
        raise KmsFault(f"the token {settings.token!r} cannot be searched ({_name(fault)})") from None
    if len(found) != 1:
        count = "several AES keys" if found else "no AES key"
        raise KmsFault(f"the token {settings.token!r} has {count} {settings.key!r}")
    return found[0]


def _left(leave: Callable[[], None]) -> None:
    """Leave a session or a module; a token that is away by then has done its work."""
    with suppress(PKCS11Error):
        leave()


def _way(nonce: bytes, name: str) -> dict[str, Any]:
    return {
        "mechanism": pkcs11.Mechanism.AES_GCM,
        "mechanism_param": pkcs11.GCMParams(nonce, name.encode(), _TAG_BITS),
    }


def _name(fault: PKCS11Error) -> str:
    """Return PKCS#11's name for a fault; its text could hold more than we mean to tell."""
    return type(fault).__name__
