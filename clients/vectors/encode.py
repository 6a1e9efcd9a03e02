"""Fill in what nobody can write by hand in the vectors: messages in binary.

    .venv/bin/python clients/vectors/encode.py

`details` of errors.json is made of `status`, `bytes` of messages.json of `json` and `extra`; all the rest is
written by hand. A test compares what is committed with what this would write.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import cast

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2  # noqa: F401 - json_format finds the details' types by their import
from google.rpc.status_pb2 import Status

from giftcard import v1

VECTORS = Path(__file__).resolve().parent

Case = dict[str, object]


def read(name: str) -> list[Case]:
    """Return the cases of one file, such as `money`."""
    return cast("list[Case]", json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))["cases"])


def encoded(name: str) -> str:
    """Return the text of one file as it should be, its binary parts made anew."""
    whole = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    for case in whole["cases"]:
        if case.get("status"):
            case["details"] = _in_base64(_packed(Status(), case["status"]))
        elif "bytes" in case:
            kind = getattr(v1, case["type"].rpartition(".")[2])
            case["bytes"] = _in_base64(_packed(kind(), case["json"]) + bytes.fromhex(case["extra"]))
    return json.dumps(whole, indent=2, ensure_ascii=True) + "\n"


def _packed(message: Message, written: object) -> bytes:
    json_format.ParseDict(cast("dict[str, object]", written), message)
    return message.SerializeToString(deterministic=True)


def _in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def main() -> None:
    """Write the files that hold messages anew."""
    for name in ("errors", "messages"):
        (VECTORS / f"{name}.json").write_text(encoded(name), encoding="utf-8")


if __name__ == "__main__":
    main()
