"""The gift card gateway, as its callers see it: the two clients, and what their calls take and raise.

The messages of the contract are in `giftcard.v1`; `client.stubs` reaches every call with them.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from giftcard.public import *  # noqa: F403 - all of it
    from giftcard.public import __all__ as __all__
else:
    # Hidden from type checkers: to them a module with this function has every name.
    def __getattr__(name: str) -> object:
        """Import the clients when something of theirs is first asked for: `giftcard.v1` alone needs none."""
        # Python asks here first for what `from giftcard import v1` names, and then looks for a module.
        public = None if find_spec(f"{__name__}.{name}") else import_module(f"{__name__}.public")
        if name == "__all__":
            return public.__all__
        if public is None or name not in public.__all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(public, name)


def __dir__() -> list[str]:
    """List what can be asked for, imported or not."""
    return sorted({*globals(), *import_module(f"{__name__}.public").__all__})
