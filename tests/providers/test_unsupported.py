"""Every "–" of the capability table is refused with a reason, and nothing of it reaches the provider."""

from __future__ import annotations

import pytest

from giftcard import new_transaction_id, v1
from tests.conformance.descriptors import subject_of
from tests.providers.cells import BY_NAME, CELLS, MONEY_HOLES, OPERATIONS, OTHER_HOLES, OTHERS, SAMPLES
from tests.providers.refusals import OPERATION_UNSUPPORTED, PROVIDER_NOT_FOUND, refused
from tests.providers.world import NAMES, World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_table_has_no_blank() -> None:
    """Every money operation of a provider known by name is either a ✔ with a cell or a "–" with a refusal."""
    known = {cell.provider for cell in CELLS}
    holes = [hole for hole in MONEY_HOLES if hole[0] in known]
    assert len(BY_NAME) + len(holes) == len(known) * len(OPERATIONS)


@pytest.mark.parametrize(("provider", "operation"), MONEY_HOLES)
async def test_no_such_operation(world: World, provider: str, operation: str) -> None:
    """A money operation the provider has not is UNIMPLEMENTED, names both, and is not even written down."""
    fields = {"transaction_id": new_transaction_id(), **SAMPLES[operation]}
    with refused(*OPERATION_UNSUPPORTED) as caught:
        await world.ask(provider, operation, fields)
    assert caught.error.metadata == {"provider": provider, "operation": operation.upper()}
    assert world.providers[provider].heard == []
    listed = await world.client.list_transactions(page_size=1)
    assert fields["transaction_id"] not in {one.transaction_id for one in listed.transactions}


@pytest.mark.parametrize(("provider", "call"), OTHER_HOLES)
async def test_no_such_call(world: World, provider: str, call: str) -> None:
    """A read, a vault call or a report the provider has not is UNIMPLEMENTED and asks nobody."""
    with refused(*OPERATION_UNSUPPORTED) as caught:
        await getattr(world.client, call)(provider=provider, **OTHERS[call])
    assert caught.error.metadata["provider"] == provider
    assert world.providers[provider].heard == []


@pytest.mark.parametrize("provider", [one for one in NAMES if "download_export" not in subject_of(one).reads])
async def test_no_such_download(world: World, provider: str) -> None:
    """A stream the provider has not is refused before its first message."""
    request = v1.DownloadExportRequest(provider=provider, export_id="accounts-csv")
    with refused(*OPERATION_UNSUPPORTED):
        [part async for part in world.stubs.reports.DownloadExport(request)]
    assert world.providers[provider].heard == []


@pytest.mark.parametrize("provider", [one for one in NAMES if not subject_of(one).has_webhooks])
async def test_no_webhooks(world: World, provider: str) -> None:
    """A provider without webhooks has no address for them."""
    assert (await world.post_webhook(provider, {}, b"{}")).status_code == 404


@pytest.mark.parametrize("call", OTHERS)
async def test_no_such_provider(world: World, call: str) -> None:
    """Naming a provider nobody configured is NOT_FOUND, whatever is asked."""
    with refused(*PROVIDER_NOT_FOUND):
        await getattr(world.client, call)(provider="nobody", **OTHERS[call])
