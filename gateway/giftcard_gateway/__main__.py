"""The entry point of the command line: `giftcard-gateway`, or `python -m giftcard_gateway`."""

from __future__ import annotations

import os
import sys

_CANNOT = 2
_INTERRUPTED = 130
"""What a shell answers for a program that Ctrl-C ended."""


def main() -> None:
    """Run the command line; exits 0 on success and 2, with one sentence a fault, when it cannot.

    The imports take most of the start. Ctrl-C may come meanwhile, and the OpenTelemetry SDK reads some
    of its variables at its import.
    """
    try:
        from giftcard_gateway.cli import command_line  # noqa: PLC0415 - see above
    except ValueError as fault:
        sys.stderr.write(f"error: {fault}\n")
        sys.exit(_CANNOT)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    sys.exit(command_line(sys.argv[1:], os.environ))


if __name__ == "__main__":
    main()
