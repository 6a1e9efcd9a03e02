"""The command line's front door: `giftcard-gateway`, or `python -m giftcard_gateway`."""

from __future__ import annotations

import os
import sys

from giftcard_gateway.cli import command_line


def main() -> None:
    """Run the command line; exits 0 on success and 2, with one sentence a fault, when it cannot."""
    sys.exit(command_line(sys.argv[1:], os.environ))


if __name__ == "__main__":
    main()
