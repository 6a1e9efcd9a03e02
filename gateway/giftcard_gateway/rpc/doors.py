"""The doors of a service: which handler answers a call, by whether there is room.

gRPC asks for the handler as soon as a call's head is there. A handler that takes one request is begun
once that came whole; one that takes a stream is begun at once, and may refuse before anything was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from giftcard_gateway.rpc.admission import Admission

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


@dataclass(frozen=True, slots=True)
class Door:
    """The handlers of one RPC."""

    path: str
    usual: Handler
    full: Handler
    """What answers while there is no room for everybody."""
    is_stream: bool


class Doors(grpc.GenericRpcHandler):
    """The doors of one service."""

    def __init__(self, doors: Iterable[Door], admission: Admission) -> None:
        """Keep the doors by their path."""
        self._doors = {door.path: door for door in doors}
        self._admission = admission

    def service(self, call: grpc.HandlerCallDetails) -> Handler | None:
        """Return what answers a call; nothing for an RPC that is not ours."""
        door = self._doors.get(call.method)
        if door is None:
            return None
        return door.full if self._admission.is_full(is_stream=door.is_stream) else door.usual
