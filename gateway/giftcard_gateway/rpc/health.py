"""Asks a gateway on this machine for its health, as a supervisor does, over its own listener."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import grpc
from cryptography import x509
from grpc_health.v1 import health_pb2

if TYPE_CHECKING:
    from giftcard_gateway.config.tls import Chain

_ANSWER = health_pb2.HealthCheckResponse


def ask_health(address: str, chain: Chain | None, *, service: str, timeout_s: float) -> str:
    """Return `SERVING`, or in a word why it is not: gRPC's health name, or the code of the call that failed.

    With a chain it speaks TLS. It trusts that one certificate, whoever signed it and whatever it is called,
    and shows it too if the listener asks for certificates.
    """
    with _channel(address, chain) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=_ANSWER.FromString,
        )
        try:
            answer = check(health_pb2.HealthCheckRequest(service=service), timeout=timeout_s)
        except grpc.RpcError as fault:
            return str(cast("grpc.Call", fault).code().name)
    return str(_ANSWER.ServingStatus.Name(answer.status))


def _channel(address: str, chain: Chain | None) -> grpc.Channel:
    # What proxy the machine has is for calls to others.
    direct = ("grpc.enable_http_proxy", 0)
    if chain is None:
        return grpc.insecure_channel(address, options=[direct])
    shown = {"private_key": chain.key, "certificate_chain": chain.certificate} if chain.client_ca else {}
    credentials = grpc.ssl_channel_credentials(chain.certificate, **shown)
    called = ("grpc.ssl_target_name_override", _name_of(chain.certificate))
    return grpc.secure_channel(address, credentials, options=[direct, called])


def _name_of(pem: bytes) -> str:
    """Return a name that the certificate is good for: callers use it, and we come by another address."""
    leaf = x509.load_pem_x509_certificates(pem)[0]
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "localhost"
    named = names.get_values_for_type(x509.DNSName)
    told = [*named, *map(str, names.get_values_for_type(x509.IPAddress)), "localhost"]
    return told[0].replace("*.", "any.", 1)
