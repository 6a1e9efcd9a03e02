"""Puts all that Envoy needs into a folder: the configuration, the contract, and what strict.lua checks by.

A certificate for trying comes along unless there is one already.

    python -m deploy.envoy build/envoy
"""

from __future__ import annotations

import importlib
import ipaddress
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor

from protos import contract

HERE = Path(__file__).resolve().parent
FILES = ("envoy.yaml", "strict.lua", "trailing.lua", "connect.lua")
PLAIN_LISTENER = "{address: 127.0.0.1, port_value: 8080}"
"""Where the listener without TLS is, as it stands in envoy.yaml."""
ENDPOINT = """\
              - endpoint:
                  address:
                    socket_address: {address: 127.0.0.1, port_value: 50051}
"""
"""A gateway there."""
HTTP: Any = annotations_pb2.http
PLAIN = {"google.protobuf.Timestamp": "time", "google.protobuf.Duration": "span"}
"""Messages that JSON writes as a text, and what strict.lua calls them."""
SCALARS = {
    FieldDescriptor.TYPE_STRING: "text",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_DOUBLE: "double",
}
"""What strict.lua calls the other types. One that the contract does not have yet needs its check there."""


def prepare(folder: Path, gateways: Sequence[int] = (50051,), plain: str = "127.0.0.1") -> None:
    """Fill a folder, which Envoy is then started in.

    `gateways` are ports on loopback; `plain` is the address of the listener without TLS.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(HERE / name, folder / name)
    text = (folder / "envoy.yaml").read_text(encoding="utf-8")
    before, one, after = text.partition(ENDPOINT)
    several = "".join(one.replace("50051", str(port)) for port in gateways)
    opened = before.replace(PLAIN_LISTENER, PLAIN_LISTENER.replace("127.0.0.1", plain))
    (folder / "envoy.yaml").write_text(opened + several + after, encoding="utf-8")
    contract.write_image(folder / "contract.binpb", "--include_source_info", beside=contract.BESIDE)
    (folder / "contract.lua").write_text(tables(), encoding="utf-8")
    if not (folder / "door.crt").exists():
        certify(folder / "door.crt", folder / "door.key")


def certify(certificate: Path, key_file: Path) -> None:
    """Write a certificate for trying, signed by itself and good for a month, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_file.touch(mode=0o600)
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate.write_bytes(signed.public_bytes(Encoding.PEM))


def tables() -> str:
    """Return as Lua which calls there are, and what may stand in their requests."""
    methods = list(all_methods())
    messages: dict[str, Descriptor] = {}
    enums: dict[str, EnumDescriptor] = {}
    waiting = [method.input_type for method in methods]
    while waiting:
        message = waiting.pop()
        if message.full_name in messages or message.full_name in PLAIN:
            continue
        messages[message.full_name] = message
        waiting += [field.message_type for field in message.fields if field.message_type]
        enums |= {field.enum_type.full_name: field.enum_type for field in message.fields if field.enum_type}
    return lua(
        {
            "calls": [call_table(method) for method in methods],
            "messages": {name: message_table(message) for name, message in sorted(messages.items())},
            "enums": {name: dict.fromkeys(enum.values_by_name, True) for name, enum in sorted(enums.items())},
        }
    )


def call_table(method: MethodDescriptor) -> dict[str, object]:
    """Return how a call is known by its address, what its body is, and what stands in the address."""
    rule = method.GetOptions().Extensions[HTTP]
    verb = rule.WhichOneof("pattern")
    path = getattr(rule, verb)
    fixed = re.sub(r"([.:-])", r"%\1", path)
    return {
        "verb": verb.upper(),
        "pattern": f"^{re.sub('{.*?}', '[^/:]+', fixed)}$",
        "taken": dict.fromkeys(re.findall("{(.*?)}", path), True),
        "message": method.input_type.full_name,
        "streams": method.server_streaming,
        **({"many": "list"} if method.client_streaming else {}),
    }


def message_table(message: Descriptor) -> dict[str, dict[str, object]]:
    """Return the fields of a message by both names that JSON may call them."""
    return {
        name: field_table(field) for field in message.fields for name in (field.name, field.camelcase_name)
    }


def field_table(field: FieldDescriptor) -> dict[str, object]:
    """Return what a field holds."""
    inner = field
    many = "list" if field.is_repeated else ""
    if field.message_type and field.message_type.GetOptions().map_entry:
        inner, many = field.message_type.fields_by_name["value"], "map"
    named = inner.message_type or inner.enum_type
    oneof = field.containing_oneof
    return {
        "name": field.name,
        "kind": PLAIN.get(named.full_name, named.full_name) if named else SCALARS[inner.type],
        **({"many": many} if many else {}),
        **({"group": f"{oneof.name}, one of"} if oneof and len(oneof.fields) > 1 else {}),
    }


def all_methods() -> Iterator[MethodDescriptor]:
    """Yield every call of the contract."""
    for path in sorted((contract.PROTOS / contract.PACKAGE).glob("*_service.proto")):
        stubs = importlib.import_module(f"giftcard.v1.{path.stem}_pb2")
        for service in stubs.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def lua(value: object) -> str:
    """Return a module that gives a value back."""
    return f"-- Made by deploy/envoy from the contract.\nreturn {written(value)}\n"


def written(value: object) -> str:
    """Return a value as Lua writes it: a mapping or a list as a table, a text in quotes, or True."""
    if isinstance(value, dict):
        return "{" + ",\n".join(f'["{key}"]={written(one)}' for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",\n".join(map(written, value)) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
