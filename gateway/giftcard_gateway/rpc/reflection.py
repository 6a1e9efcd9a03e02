"""gRPC server reflection under both its names, v1 and v1alpha.

grpcio-reflection serves v1alpha only. The two speak the same bytes, so v1 is the same servicer under
the other name, with a descriptor made from v1alpha's. Python's pool does not find a call by its full name;
`_Symbols` does, so that `grpcurl describe` and ghz can name one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from google.rpc import error_details_pb2 as _error_details  # noqa: F401 - so that grpcurl can print error details
from grpc_reflection.v1alpha import reflection, reflection_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.descriptor import FileDescriptor

    from giftcard_gateway.rpc.guard import Guard

V1ALPHA = reflection.SERVICE_NAME
V1 = V1ALPHA.replace("v1alpha", "v1")


def enable(guard: Guard, names: Sequence[str]) -> None:
    """Describe the services called `names`, and reflection itself, to whom `guard` lets through."""
    _describe_v1()
    listed = [*names, V1ALPHA, V1]
    handler = grpc.stream_stream_rpc_method_handler(
        reflection.aio.ReflectionServicer(listed, pool=_Symbols()).ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in (V1ALPHA, V1):
        guard.add_registered_method_handlers(name, {"ServerReflectionInfo": handler})


class _Symbols:
    """The default pool of descriptors, with every symbol findable."""

    def __init__(self) -> None:
        self._pool = descriptor_pool.Default()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the pool has under that name
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802 - the pool's own name
        """Return the file in which a symbol is declared; raises KeyError when there is none."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            parent, _, name = symbol.rpartition(".")
            if not self._has(parent, name):
                raise
            return self._pool.FindFileContainingSymbol(parent)

    def _has(self, parent: str, name: str) -> bool:
        for find, members in (
            (self._pool.FindServiceByName, "methods_by_name"),
            (self._pool.FindEnumTypeByName, "values_by_name"),
        ):
            try:
                return name in getattr(find(parent), members)
            except KeyError:
                continue
        return False


def _describe_v1() -> None:
    """Add v1 to the descriptors, once a process: v1alpha's with the package's other name."""
    pool = descriptor_pool.Default()
    try:
        pool.FindServiceByName(V1)
    except KeyError:
        file = descriptor_pb2.FileDescriptorProto()
        reflection_pb2.DESCRIPTOR.CopyToProto(file)
        text = text_format.MessageToString(file).replace("v1alpha", "v1")
        renamed = text_format.Parse(text, descriptor_pb2.FileDescriptorProto())
        pool.AddSerializedFile(renamed.SerializeToString())
