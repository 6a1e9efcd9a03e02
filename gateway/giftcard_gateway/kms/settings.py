"""What an operator can decide about a key service; the rest of the settings are in the room `config`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from giftcard_adapters.values.secret import Secret

KmsId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z][a-z0-9-]{0,62}\Z",
        description="a lower-case name of up to 63 letters, digits and dashes",
    ),
]
Text = Annotated[str, msgspec.Meta(min_length=1, description="a text that is not empty")]


class Pkcs11Settings(msgspec.Struct, frozen=True, kw_only=True):
    """[kms.ID]: a token that speaks PKCS#11, such as an HSM; needs the extra `giftcard-gateway[pkcs11]`."""

    module: Text
    """The maker's library, such as /usr/lib/softhsm/libsofthsm2.so."""
    token: Text
    """The label of the token."""
    key: Text
    """The label of the AES key in it that wraps; it never leaves the token."""
    pin: Secret
    """The user's PIN."""
