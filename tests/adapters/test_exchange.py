"""An exchange that cannot even be written was not sent."""

from __future__ import annotations

import httpx
import pytest

from giftcard_adapters.calls import Call, Moment
from giftcard_adapters.errors import NotSent
from giftcard_adapters.exchange import Exchange


def exchange() -> Exchange:
    """Return an exchange with a provider that must not be spoken to."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.method} was sent")

    return Exchange(
        base_url="http://provider.test",
        transport=httpx.MockTransport(answer),
        moment=lambda: Moment(now_s=0.0, nonce="0" * 32),
        timeout_s=1.0,
    )


@pytest.mark.parametrize("path", ["/refunds/a\nb", f"/refunds/{'a' * 70_000}"])
async def test_a_path_that_makes_no_url_is_not_sent(path: str) -> None:
    """A path with a control character, or longer than any URL, is NotSent, in words without the path."""
    with pytest.raises(NotSent) as caught:
        await exchange().send(Call(method="GET", path=path), sign=lambda _call, _moment: {}, name="refund")
    assert str(caught.value) == "refund: the path makes no URL"
