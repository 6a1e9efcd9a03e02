"""Encodes values as bytes or plain data and decodes them, secrets included.

The results of `pack` and `to_plain` hold secrets in clear: they are for sealing and for golden
files, never for logs.
"""

from __future__ import annotations

import codecs
from typing import Any, TypeVar

import msgspec

from giftcard_adapters.errors import Unreadable
from giftcard_adapters.values.secret import Secret

T = TypeVar("T")


def reveal_hook(value: object) -> str:
    """Write a Secret in clear: the `enc_hook` of encoders whose bytes go to a provider or a seal."""
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError(type(value).__name__)


def hide_hook(kind: type, value: object) -> Secret:
    """Read a text into a Secret: the `dec_hook` of every msgspec decoder of structs that hold one."""
    if kind is not Secret:
        raise NotImplementedError(kind.__name__)
    if not isinstance(value, str):
        # msgspec makes it a ValidationError that names the place.
        raise TypeError("Expected `str`")
    return Secret(value)


pack = msgspec.msgpack.Encoder(enc_hook=reveal_hook).encode
"""Returns a value as MessagePack, secrets in clear: seal it before it is stored or sent."""


def unpacker(kind: Any) -> msgspec.msgpack.Decoder[Any]:  # noqa: ANN401 - a type form; Python 3.11 has no name for it
    """Return a decoder for what `pack` made of a `kind`; make it once, use it often."""
    return msgspec.msgpack.Decoder(kind, dec_hook=hide_hook)


def to_plain(value: object) -> Any:  # noqa: ANN401 - plain data has no narrower type
    """Return `value` as dicts, lists and texts, secrets in clear."""
    return msgspec.to_builtins(value, enc_hook=reveal_hook)


def from_plain(plain: object, kind: type[T]) -> T:
    """Read plain data, such as JSON from a file, into a `kind`."""
    return msgspec.convert(plain, kind, dec_hook=hide_hook)


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode a provider's JSON; raise Unreadable, naming the place and never the content."""
    try:
        # RFC 8259 lets a reader ignore a byte order mark.
        return decoder.decode(bytes(body).removeprefix(codecs.BOM_UTF8))
    except msgspec.ValidationError as fault:
        place = str(fault).rpartition("`")[0].rpartition("`")[2]
        raise Unreadable(f"the answer does not fit its schema at {place or 'its root'}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("the answer is not JSON") from None
