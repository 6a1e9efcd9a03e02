"""A name server of one name, as a headless service has it: an address for each gateway."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

NAME = "gateways.test"
_HEADER = struct.Struct(">HHHHHH")
_ANSWER = struct.Struct(">HHHIH4s")
_TYPE_A, _CLASS_IN, _LIVES_S = 1, 1, 5
_NAMED_ABOVE = 0xC00C
"""A pointer to the name in the question (RFC 1035, 4.1.4)."""


def answered(question: bytes, addresses: Sequence[str]) -> bytes:
    """Return the answer to one question: all addresses to who asks for those, else none (RFC 1035, 4.1)."""
    number, flags, *_ = _HEADER.unpack_from(question)
    end = question.index(b"\0", _HEADER.size) + 5
    (kind,) = struct.unpack_from(">H", question, end - 4)
    told = addresses if kind == _TYPE_A else ()
    header = _HEADER.pack(number, 0x8580 | (flags & 0x0100), 1, len(told), 0, 0)
    records = [
        _ANSWER.pack(_NAMED_ABOVE, _TYPE_A, _CLASS_IN, _LIVES_S, 4, socket.inet_aton(one)) for one in told
    ]
    return header + question[_HEADER.size : end] + b"".join(records)


@contextmanager
def name_server(addresses: Sequence[str]) -> Iterator[int]:
    """Serve NAME with these addresses; yields the port, by UDP on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                question, asker = server.recvfrom(512)
                if not question:
                    return
                server.sendto(answered(question, addresses), asker)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = int(server.getsockname()[1])
        try:
            yield port
        finally:
            server.sendto(b"", ("127.0.0.1", port))
            thread.join()
