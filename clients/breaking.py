"""A door to the gateway whose connections are cut, for streams that are to go on by themselves."""

from __future__ import annotations

import contextlib
import socket
import threading

CUT_AFTER_BYTES = 4096
"""What a connection carries from the gateway: some messages of a watch, and not all that a test waits for."""
_READ_BYTES = 1024


class BreakingDoor:
    """Takes connections on a port of this machine and passes them on, and cuts each after so many bytes."""

    def __init__(self, port: int, gateway: int) -> None:
        """Listen on a port, in front of the gateway's; `close` ends it."""
        self.cuts = 0
        self._gateway = gateway
        self._listener = socket.create_server(("127.0.0.1", port))
        self._taking = threading.Thread(target=self._take, daemon=True)
        self._taking.start()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            # A thread that waits for a connection is not woken by `close` alone.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._taking.join()

    def _take(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with caller, socket.create_connection(("127.0.0.1", self._gateway)) as gateway:
            up = threading.Thread(target=_pass_on, args=(caller, gateway), daemon=True)
            up.start()
            if _pass_on(gateway, caller, CUT_AFTER_BYTES):
                self.cuts += 1
            for each in (caller, gateway):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            up.join()


def _pass_on(source: socket.socket, target: socket.socket, most: int = 0) -> bool:
    """Pass bytes on until a side ends or `most` were passed, if that is given; tell whether they were."""
    passed = 0
    with contextlib.suppress(OSError):
        while found := source.recv(_READ_BYTES):
            target.sendall(found)
            passed += len(found)
            if most and passed >= most:
                return True
        # What the caller has said to its end, the gateway has still to answer.
        target.shutdown(socket.SHUT_WR)
    return False
