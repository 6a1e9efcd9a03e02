"""gRPC server reflection under both its names, v1 and v1alpha.

grpcio-reflection serves v1alpha only. The two speak the same bytes, so v1 is the same servicer under
the other name, with a descriptor made from v1alpha's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from google.rpc import error_details_pb2 as _error_details  # noqa: F401 - so that grpcurl can print error details
from grpc_reflection.v1alpha import reflection, reflection_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from giftcard_gateway.rpc.guard import Guard

V1ALPHA = reflection.SERVICE_NAME
V1 = V1ALPHA.replace("v1alpha", "v1")


def enable(guard: Guard, names: Sequence[str]) -> None:
    """Describe the services called `names`, and reflection itself, to whom `guard` lets through."""
    _describe_v1()
    listed = [*names, V1ALPHA, V1]
    handler = grpc.stream_stream_rpc_method_handler(
        reflection.aio.ReflectionServicer(listed).ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in (V1ALPHA, V1):
        guard.add_registered_method_handlers(name, {"ServerReflectionInfo": handler})


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
