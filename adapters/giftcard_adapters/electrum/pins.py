"""A PIN in Electrum's fields: `pin` since interface 3.12, `clearPin` and `encryptedPin` before and beside it.

An interface that has only the older fields ignores `pin`, and one that has both lets `pin` win, so both
are written unless the settings say otherwise. `limits` has already refused what does not fit.
"""

from __future__ import annotations

from giftcard_adapters.electrum import wire
from giftcard_adapters.electrum.codes import PIN_BLOCK_FORMATS
from giftcard_adapters.electrum.settings import PinFields
from giftcard_adapters.values.cards import ClearPin, EncryptedPin, Pin, PinBlockFormat
from giftcard_adapters.values.secret import Secret

_WHOLE_BLOCK = 16
"""Hexadecimal digits of an ISO 9564 block, which is all that `pin` takes; shorter ones are real in
`encryptedPin`."""

_NO_ACCOUNT = Secret("0" * 12)
"""Electrum needs 12 digits beside any format, and format 1 is bound to no account."""


def is_block_alone(pin: EncryptedPin, fields: PinFields) -> bool:
    """Tell whether a PIN block goes without parameters, because only `encryptedPin` carries it."""
    return fields == "deprecated" or (fields == "both" and len(pin.block.reveal()) < _WHOLE_BLOCK)


def pin(given: Pin | None, fields: PinFields) -> wire.PinClear | wire.PinEncrypted | wire.PinHashed | None:
    """Return what goes into `pin`, if anything."""
    if given is None or fields == "deprecated":
        return None
    if isinstance(given, ClearPin):
        return wire.PinClear(pin=given.pin)
    if isinstance(given, EncryptedPin):
        if is_block_alone(given, fields):
            return None
        return wire.PinEncrypted(pin_block=given.block, encryption_parameters=_encryption(given))
    parameters = wire.HashedPinParameters(name=given.algorithm) if given.algorithm else None
    return wire.PinHashed(hash=given.digest, hashed_pin_parameters=parameters)


def clear_pin(given: Pin | None, fields: PinFields) -> Secret | None:
    """Return what goes into the deprecated `clearPin`, if anything."""
    return given.pin if isinstance(given, ClearPin) and fields != "pin" else None


def encrypted_pin(given: Pin | None, fields: PinFields) -> Secret | None:
    """Return what goes into the deprecated `encryptedPin`, if anything; it takes capitals alone."""
    if not isinstance(given, EncryptedPin) or fields == "pin":
        return None
    return Secret(given.block.reveal().upper())


def _encryption(given: EncryptedPin) -> wire.EncryptionParameters | None:
    account = given.account_number
    if account is None and given.block_format is PinBlockFormat.ISO_1:
        account = _NO_ACCOUNT
    if account is None:
        return None
    return wire.EncryptionParameters(
        account_number=account,
        pin_block_format=PIN_BLOCK_FORMATS[given.block_format] if given.block_format else "",
        key_index=given.key_index,
    )
