"""The entry point of the command line: `giftcard-gateway`, or `python -m giftcard_gateway`."""

from __future__ import annotations

import os
import sys

from giftcard_gateway.loading import INTERRUPTED, loading


def main() -> None:
    """Run the command line; exits 0 on success and 2, with one sentence a fault, when it cannot."""
    try:
        with loading():
            from giftcard_gateway.cli import CALLERS, command_line  # noqa: PLC0415 - see loading
        if sys.argv[1:2] and sys.argv[1] in CALLERS:
            # Read by gRPC at its import: what its core would write is in the sentence a command ends with.
            os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        code = command_line(sys.argv[1:], os.environ)
    except KeyboardInterrupt:
        # Between what loads and what click runs, Ctrl-C raises as it does in any Python program.
        code = INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
