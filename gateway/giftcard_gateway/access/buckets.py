"""Token buckets by name, on the clock that tests turn. What they ration is in `shares` and `guesses`.

A bucket holds so many tokens and is refilled evenly. It never holds less than none.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from giftcard_gateway.clock import Clock

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_REMEMBERED = 10_000
"""How many names one table remembers; the idle one not heard of for longest is forgotten first."""


class Bucket:
    """Tokens to take; some of what was taken may be put back."""

    __slots__ = ("_at_s", "_clock", "_every_s", "_size", "_tokens", "lent")

    def __init__(self, clock: Clock, *, size: int, every_s: float) -> None:
        """Begin full; a token comes every `every_s` seconds."""
        self._clock = clock
        self._size = size
        self._every_s = every_s
        self._tokens = float(size)
        self._at_s = clock.monotonic_s()
        self.lent = 0
        """How many tokens are taken by somebody who may put them back."""

    @property
    def tokens(self) -> int:
        """Return how many whole tokens there are now."""
        now_s = self._clock.monotonic_s()
        room = self._size - self.lent
        self._tokens = tokens = min(room, self._tokens + (now_s - self._at_s) / self._every_s)
        self._at_s = now_s
        return int(tokens) if tokens > 0 else 0

    def take(self, count: int = 1) -> bool:
        """Take tokens if so many are there."""
        if self.tokens < count:
            return False
        self._tokens -= count
        return True

    def lend(self, count: int) -> None:
        """Give tokens away that are there; each comes to its end with `end`."""
        self._tokens -= count
        self.lent += count

    def end(self, *, is_back: bool) -> None:
        """Put back a token that was lent, or take it for good."""
        self.lent -= 1
        self._tokens += is_back

    def resize(self, *, size: int, every_s: float) -> None:
        """Hold and be refilled otherwise from now on; nothing is given for it."""
        self._tokens = float(
            min(size, self._tokens + (self._clock.monotonic_s() - self._at_s) / self._every_s)
        )
        self._at_s = self._clock.monotonic_s()
        self._size, self._every_s = size, every_s

    @property
    def wait_s(self) -> float:
        """Return in how many seconds the next whole token is there, if nobody takes one."""
        return max(0.0, (1 - self._tokens) * self._every_s)

    @property
    def is_idle(self) -> bool:
        """Tell whether forgetting it changes nothing."""
        return not self.lent and self.tokens >= self._size


class ByName(Generic[_Key, _Value]):
    """One value by name, made when it is first asked for; the table does not grow without end."""

    def __init__(self, make: Callable[[], _Value], *, is_held: Callable[[_Value], bool]) -> None:
        """`is_held` tells of a value that something is under way which must end in it."""
        self._make = make
        self._is_held = is_held
        self._values: OrderedDict[_Key, _Value] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._values)

    def __iter__(self) -> Iterator[_Value]:
        """Iterate over what is remembered."""
        return iter(self._values.values())

    def get(self, key: _Key) -> _Value:
        """Return the value of a name."""
        value = self._values.get(key)
        if value is None:
            value = self._values[key] = self._make()
            self._forget()
        self._values.move_to_end(key)
        return value

    def _forget(self) -> None:
        if len(self._values) <= _REMEMBERED:
            return
        # What is held stays, and is looked at again once it comes first anew.
        key, value = self._values.popitem(last=False)
        if self._is_held(value):
            self._values[key] = value
