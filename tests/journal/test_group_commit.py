"""The threads under an SQLite journal: whatever a batch meets, its callers hear, and the next is served."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.group_commit import ThreadCommit


async def test_lane_outlives_a_fault_nobody_foresaw() -> None:
    """A fault no batch should meet refuses its callers instead of ending the thread under them all."""

    def serve(requests: Sequence[int]) -> Sequence[object]:
        return [10 // request for request in requests]

    commits = ThreadCommit(serve, "commits", lambda: None)
    with pytest.raises(JournalClosed, match="ZeroDivisionError"):
        await commits.submit(0)
    assert await commits.submit(5) == 2
    await commits.close()
