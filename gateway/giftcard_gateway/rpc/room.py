"""How many calls are worked on at once, by how long they wait for us; and when the others should come back.

The law is of the family of TCP's congestion control, as Netflix's concurrency-limits and Envoy's adaptive
concurrency apply it to servers: let more in while nothing queues, and fewer when something does. Those
compare a call's duration with what it was without load. That tells us nothing, because a call is as long
as its provider is slow, and a slow provider is no reason to refuse anybody (rule 20). What queues here
queues for the one thread of the loop. So a timer stands in that queue too, and how late it comes on
average is measured: as in CoDel the time spent waiting decides, not the length of the queue. One timer
counts for no more than a look, so a pause of the machine, however long, is not taken for a queue.

- At rest there is room for `rest` calls, so that a burst of so many is let in.
- Timers late on average, and calls inside that may be why: they wait for us. There is a tenth less room
  with each look, down to two fifths of `rest`. So many keep the thread and the journal busy; more would
  only wait longer.
- Timers in time: calls wait for providers and not for us. Room that was lost comes back by a twentieth
  with each look; and if they need more than `rest`, there is a quarter more with each, up to `most`.

While timers are late, the calls inside divided by those that end in a second are how long one more would
take (Little's law). Who waits no longer than that would not hear the answer, and is refused at once
instead.

Who is refused is given a place in a line of which nothing is kept but its length. The line moves at half
the pace at which calls end, so that the other half is left to those who come for the first time.

Saying no costs a tenth of a call, so thousands who come back at once could keep us busy with nothing
else. Two hundred refusals, and then one for each call that ends, are told at once; the next wait for
their turn. So who waits as told hears no at once, and who does not waits here instead of there.
"""

from __future__ import annotations

LOOK_EVERY_S = 0.05
_BEHIND_S, _IN_TIME_S = 0.008, 0.004
"""How late timers are on average when calls wait for us, and when surely not; an idle process has 0.001."""
_WEIGHT = 0.1
"""What the newest look counts for in an average: ten looks, or half a second, are its memory.

With it one timer, which counts for at most LOOK_EVERY_S, never makes us late by itself.
"""
_LEAST = 0.4
"""The part of the room at rest that is left whatever waits."""
_FEW = 25.0
"""So many calls inside are no queue on any machine: where timers are late, something else keeps it busy."""
_MORE, _BACK, _LESS = 1.25, 1.05, 0.9
_FIRST_PER_S = 100.0
"""The pace that is assumed before anything was measured."""
_SOONEST_S, _LATEST_S = 0.1, 10.0
_AT_ONCE = 200.0
"""How many refusals in a row are told at once."""
_LONGEST_HOLD_S = 2.0


class Room:
    """The room of one process; nothing here reads a clock."""

    def __init__(self, rest: int, most: int) -> None:
        """Begin with room for `rest` calls, or for `most` if that is less."""
        self._rest = float(min(rest, most))
        self._most = float(most)
        self._least = max(min(self._rest, _FEW), self._rest * _LEAST)
        self._room = self._rest
        self._late_s = 0.0
        self._per_s = _FIRST_PER_S
        self._line = 0.0
        self._refused = 0.0
        self.limit = int(self._room)
        """How many calls may be inside."""
        self.expected_s = 0.0
        """How long one more call would take; 0 while calls do not wait for us."""

    def look(self, *, late_s: float, took_s: float, inside: int, ended: int) -> None:
        """Take what was seen since the last look, `took_s` seconds ago.

        A timer came `late_s` seconds late, `inside` calls are inside, and `ended` have ended meanwhile.
        """
        self._late_s += (min(late_s, LOOK_EVERY_S) - self._late_s) * _WEIGHT
        # Few calls are no queue: then others keep the machine busy, and fewer calls would not help.
        is_busy = inside >= max(self._least / 2, _FEW)
        is_behind = is_busy and self._late_s > _BEHIND_S
        if is_busy and took_s > 0:
            self._per_s = max(1.0, self._per_s + (ended / took_s - self._per_s) * _WEIGHT)
        if is_behind:
            self._room = max(self._least, self._room * _LESS)
        elif self._late_s < _IN_TIME_S:
            self._grow(inside)
        self.limit = int(self._room)
        self.expected_s = inside / self._per_s if is_behind else 0.0
        self._line = max(0.0, self._line - self._per_s / 2 * took_s)
        self._refused = max(0.0, self._refused - self._per_s * took_s)

    def _grow(self, inside: int) -> None:
        if self._room < self._rest:
            self._room = min(self._rest, self._room * _BACK)
        elif inside >= self._room * _LESS:
            self._room = min(self._most, self._room * _MORE)
        else:
            self._room = max(self._rest, self._room * _LESS)

    def come_back_s(self, fraction: float) -> float:
        """Return in how many seconds one more who is refused should come back.

        Between half of the time to its place in the line and all of it, as `fraction`, 0 to 1, has it.
        """
        self._line += 1
        place_s = min(self._line / self._per_s * 2, _LATEST_S)
        return max(_SOONEST_S, place_s * (1 + fraction) / 2)

    def hold_s(self) -> float:
        """Return for how many seconds one more refusal waits for its turn to be told."""
        self._refused += 1
        return min(max(0.0, self._refused - _AT_ONCE) / self._per_s, _LONGEST_HOLD_S)
