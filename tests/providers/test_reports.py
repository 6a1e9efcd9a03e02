"""Catalogue and reports: templates, offers, accounts and tickets, as their provider tells them."""

from __future__ import annotations

import pytest
from google.type.date_pb2 import Date

from giftcard import new_transaction_id, to_decimal, v1
from tests.providers.refusals import EXPORT_NOT_FOUND, FIELD_INVALID, PROVIDER_REFUSED, refused
from tests.providers.world import GATEPAY, JEUDIMERCI, World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_templates_come_in_pages(world: World) -> None:
    """GatePay's three templates come two and one, with titles by language, picture and kind."""
    first = await world.client.list_templates(provider=GATEPAY, page_size=2)
    rest = await world.client.list_templates(provider=GATEPAY, page_size=2, page_token=first.next_page_token)
    templates = [*first.templates, *rest.templates]
    assert [one.template_id for one in templates] == [f"25526701243918336{n}" for n in range(3)]
    assert (len(first.templates), rest.next_page_token) == (2, "")
    assert "Sandbox Birthday" in templates[0].titles.values()
    assert templates[0].image_url.startswith("https://")
    assert templates[0].kind == "birthday"


async def test_a_token_of_another_list_is_refused(world: World) -> None:
    """A page token is good for its own list only, and a made-up one for none."""
    page = await world.client.list_templates(provider=GATEPAY, page_size=1)
    for token in (page.next_page_token, "made-up"):
        with refused(*FIELD_INVALID) as caught:
            await world.client.list_offers(provider=JEUDIMERCI, page_token=token)
        assert [violation.field for violation in caught.error.violations] == ["page_token"]


async def test_every_template_issues_a_card(world: World) -> None:
    """Whatever ListTemplates names can be issued by."""
    for template in (await world.client.list_templates(provider=GATEPAY)).templates:
        fields = {
            "transaction_id": new_transaction_id(),
            "template_id": template.template_id,
            "title": "sandbox: at once",
            "amount": "9.99",
            "currency": "USD",
        }
        done = await world.ask(GATEPAY, "Issue", fields)
        assert done.state == v1.TransactionState.TRANSACTION_STATE_APPROVED
        assert done.provider_references["card_temp_id"] == template.template_id


async def test_offers_are_listed_and_synchronized(world: World) -> None:
    """A fixed offer has a price, an open one its bounds; a sync answers the list and its counts."""
    offers = (await world.client.list_offers(provider=JEUDIMERCI)).offers
    fixed, free = offers
    assert (fixed.offer_id, str(to_decimal(fixed.price)), fixed.is_active) == ("offer-cinema", "25.00", True)
    assert (str(to_decimal(free.minimum)), str(to_decimal(free.maximum))) == ("5.00", "150.00")
    assert not free.HasField("price")
    synced = await world.client.sync_offers(provider=JEUDIMERCI)
    assert synced.offers == offers
    assert (synced.created_count, synced.updated_count, synced.removed_count) == (0, 0, 0)


async def test_accounts_are_extracted_with_an_export(world: World) -> None:
    """An extract tells accounts with their balances, filtered as asked, and names the file made of them."""
    told = await world.client.extract_accounts(
        provider=JEUDIMERCI, currency_code="EUR", mandate_type="OWNER", export_format="csv"
    )
    (account,) = told.accounts
    assert (account.account_id, account.name) == ("account-1", "Sandbox Wallet")
    assert (str(to_decimal(account.balance)), account.balance.currency_code) == ("10000.00", "EUR")
    assert (account.contact_name, account.contact_email) == ("Ada Sandbox", "ada@sandbox.example")
    assert (told.export_id, told.is_ready) == ("accounts-csv", True)
    every = await world.client.extract_accounts(provider=JEUDIMERCI)
    assert [one.balance.currency_code for one in every.accounts] == ["EUR", "EUR", "CHF"]
    assert every.export_id == ""
    with refused(*PROVIDER_REFUSED) as caught:
        await world.client.extract_accounts(provider=JEUDIMERCI, export_format="papyrus")
    assert caught.error.metadata["decline_reason"] == "REQUEST_MALFORMED"


async def test_an_export_is_downloaded(world: World) -> None:
    """The file comes as what is known of it, then its bytes in messages of at most 64 KiB."""
    request = v1.DownloadExportRequest(provider=JEUDIMERCI, export_id="accounts-csv")
    parts = [part async for part in world.stubs.reports.DownloadExport(request)]
    file = parts[0].file
    assert (file.file_name, file.content_type) == ("accounts.csv", "text/csv")
    content = b"".join(part.chunk for part in parts[1:])
    assert len(content) == file.size_bytes
    assert content.startswith(b"account-0000000;")
    assert max(len(part.chunk) for part in parts[1:]) <= 64 * 1024


async def test_no_such_export(world: World) -> None:
    """An export that is not there is NOT_FOUND and says which."""
    request = v1.DownloadExportRequest(provider=JEUDIMERCI, export_id="no such")
    with refused(*EXPORT_NOT_FOUND) as caught:
        [part async for part in world.stubs.reports.DownloadExport(request)]
    assert caught.error.metadata["export_id"] == "no such"


async def test_tickets_are_counted(world: World) -> None:
    """Tickets are counted with their values, in the days asked for, and by whether they are consumed."""
    told = await world.client.get_ticket_statistics(provider=JEUDIMERCI)
    assert (told.issued_count, told.consumed_count) == (4, 1)
    assert (str(to_decimal(told.issued_value)), str(to_decimal(told.consumed_value))) == ("125.00", "25.00")
    unspent = await world.client.get_ticket_statistics(provider=JEUDIMERCI, is_consumed=False)
    assert (unspent.issued_count, unspent.consumed_count) == (3, 0)
    later = await world.client.get_ticket_statistics(
        provider=JEUDIMERCI,
        from_day=Date(year=2026, month=1, day=16),
        to_day=Date(year=2026, month=1, day=31),
    )
    assert later.issued_count == 0
