from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.drafting import draft_items
from billing.issuing import issue_one_off
from billing.items import add_item
from billing.late import changes as late_changes
from billing.late import settling as late_settling
from billing.models import Invoice, StripeCustomer
from billing.profiles import set_profile
from billing.subscriptions import open_next_periods
from tests.billing.stripe.charging.makers import make_row
from tests.portal import makers
from tests.portal.makers import read, squeeze

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]


def test_before_the_first_invoice_the_page_says_when_it_comes(owner):
    assert "No invoice yet" in squeeze(read(owner, "/a/acme/invoices/"))


def test_invoices_are_listed_newest_first(account, owner):
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    first = makers.issue_invoices(account, at=datetime(2026, 10, 1, 1, tzinfo=UTC))

    open_next_periods(datetime(2026, 10, 2, tzinfo=UTC))
    second = makers.issue_invoices(account)
    page = read(owner, "/a/acme/invoices/")
    assert [invoice.number for invoice in (*first, second[-1])] == ["2026-000001", "2026-000002"]
    assert page.index("/a/acme/invoices/2026-000002/") < page.index("/a/acme/invoices/2026-000001/")
    assert "2026-000001 September 2026 1 October 2026 Issued €49.00" in squeeze(page)


def test_an_invoice_says_why_each_amount_is_what_it_is(account, owner):
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    makers.use(account, 357, time=datetime(2026, 9, 30, 23, 59, tzinfo=UTC))
    makers.issue_invoices(account)
    page = read(owner, "/a/acme/invoices/2026-000001/")
    text = squeeze(page)
    assert "Invoice 2026-000001" in text
    assert "For Acme &amp; Söhne &lt;GmbH&gt;" in text
    assert "Period September 2026" in text
    assert "357 requests · 357 events" in text
    assert "257 requests at €0.02 = €5.14" in text
    assert "Total €54.14" in text
    assert "from 1 September 2026, 00:00 up to, but not including, 1 October 2026, 00:00 (UTC)" in text


@pytest.mark.parametrize(
    ("currency", "english", "french"),
    [("EUR", "€49.00", "49,00 €"), ("JPY", "¥49", "49 ¥"), ("KWD", "KWD 49.000", "49,000")],
)
def test_money_has_the_decimals_of_its_currency_and_the_readers_language(account, owner, currency, english, french):
    makers.make_plan(currency=currency)
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    makers.issue_invoices(account)
    assert f"Total {english}" in squeeze(read(owner, "/a/acme/invoices/2026-000001/"))
    assert french in squeeze(read(owner, "/a/acme/invoices/2026-000001/", language="fr"))


def test_an_invoice_keeps_the_time_zone_it_was_issued_in(account, owner):

    started_at = datetime(2026, 8, 31, 22, tzinfo=UTC)
    makers.subscribe(account, started_at=started_at, at=started_at, time_zone="Europe/Paris")
    makers.issue_invoices(account)
    set_profile(account_id=account.id, legal_name="Acme", time_zone="Asia/Tokyo")
    text = squeeze(read(owner, "/a/acme/invoices/2026-000001/"))
    assert "Period September 2026" in text
    assert "1 October 2026, 00:00 (Europe/Paris)" in text


@pytest.mark.parametrize("number", ["2026-000002", "draft", "None", "'", "%00"])
def test_an_unknown_number_is_not_found(account, owner, number):
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    makers.issue_invoices(account)
    assert owner.get(f"/a/acme/invoices/{number}/").status_code == 404


@pytest.mark.parametrize(
    ("started_at", "number"),
    [(datetime(2026, 10, 1, tzinfo=UTC), 1), (datetime(2022, 9, 1, tzinfo=UTC), 50)],
)
def test_the_list_costs_the_same_with_any_number_of_invoices(account, owner, started_at, number):
    makers.subscribe(account, started_at=started_at)
    makers.issue_invoices(account)
    owner.get("/a/acme/invoices/")
    with CaptureQueriesContext(connection) as queries:
        page = owner.get("/a/acme/invoices/").content.decode()
    assert page.count('href="/a/acme/invoices/20') == number
    assert len(queries) <= 23


def test_the_next_invoice_is_told_as_it_stands_and_as_it_will_be(account, owner):
    makers.subscribe(account)
    makers.use(account, 400)
    text = squeeze(read(owner, "/a/acme/invoices/"))
    assert "Next invoice Period November 2026 So far €55.00" in text
    assert "When the period ends, at the pace so far €72.26" in text


def test_without_a_plan_no_next_invoice_is_told(account, owner):
    assert "Next invoice" not in squeeze(read(owner, "/a/acme/invoices/"))


def test_a_one_off_invoice_is_listed_and_opens_without_a_plan(account, owner):
    set_profile(account_id=account.id, legal_name="Acme")
    add_item(
        account_id=account.id,
        currency="EUR",
        kind="one_off",
        description="Training",
        unit_amount=Decimal(900),
        key="training",
        at=makers.NOV_10,
    )
    draft = draft_items(account_id=account.id, currency="EUR", at=makers.NOV_10)
    issue_one_off(draft.pk, at=makers.NOV_10)
    assert "2026-000001 One-off 10 November 2026 to 10 November 2026" in squeeze(read(owner, "/a/acme/invoices/"))
    text = squeeze(read(owner, "/a/acme/invoices/2026-000001/"))
    assert "Outside of a plan" in text
    assert "Training" in text
    assert "€900.00" in text


def test_a_customer_sees_what_was_counted_after_an_invoice(account, owner):
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    [invoice] = makers.issue_invoices(account, at=datetime(2026, 10, 1, 1, tzinfo=UTC))
    path = f"/a/acme/invoices/{invoice.number}/"
    assert "Counted after this invoice was issued" not in squeeze(read(owner, path))
    late = datetime(2026, 10, 1, 2, tzinfo=UTC)
    makers.use(account, 357, time=datetime(2026, 9, 30, 23, 59, tzinfo=UTC))
    late_changes.collect_changes(late)
    assert "357 requests. What that changes will be settled with your next invoice." in squeeze(read(owner, path))
    late_settling.settle_late(invoice.id, at=late)
    page = squeeze(read(owner, path))
    assert "Counted after this invoice was issued" in page
    assert "0 requests counted before, 357 requests now; €5.14 will be billed." in page


def test_an_invoice_that_gave_credit_says_so_and_that_it_is_paid(account, owner):
    add_item(
        account_id=account.id,
        currency="EUR",
        kind="fee",
        description="Goodwill",
        unit_amount=Decimal("-9.00"),
        key="goodwill",
        at=makers.NOV_10,
    )
    issue_one_off(draft_items(account_id=account.id, currency="EUR", at=makers.NOV_10).pk, at=makers.NOV_10)
    page = squeeze(read(owner, "/a/acme/invoices/2026-000001/"))
    assert "Given as credit €9.00 Due €0.00" in page
    assert " Paid " in page
    assert "Paid by credit" not in page


def pay_through_stripe(account, **fields):
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    makers.issue_invoices(account)
    StripeCustomer.objects.create(
        account_id=account.id,
        stripe_id="cus_1",
        payment_method_id="pm_1",
        card_brand="visa",
        card_last4="4242",
        asked_at=makers.SEPTEMBER,
    )
    make_row(Invoice.objects.get(), step="finalised", total_minor=4900, **fields)


def test_an_invoice_says_which_card_it_is_collected_from_and_why_that_failed(account, owner):
    pay_through_stripe(
        account,
        state="open",
        hosted_invoice_url="https://pay.test/in_1",
        error_code="insufficient_funds",
        error_message="<b>Your card has insufficient funds.</b>",
        next_attempt_at=datetime(2026, 11, 25, 9, tzinfo=UTC),
    )
    page = read(owner, "/a/acme/invoices/2026-000001/")
    text = squeeze(page)
    assert "€49.00 is collected from your Visa card ending in 4242." in text
    assert "The last attempt failed: there was not enough money on the card" in text
    assert "It is tried again on 25 November 2026, 09:00." in text
    assert '<a class="button" href="https://pay.test/in_1" rel="noopener">Pay now</a>' in page
    assert "Your card has insufficient funds" not in page


def test_a_payment_to_be_confirmed_leads_to_the_bank(account, owner):
    pay_through_stripe(account, state="open", hosted_invoice_url="https://pay.test/in_1", needs_action=True)
    page = squeeze(read(owner, "/a/acme/invoices/2026-000001/"))
    assert "Your bank wants you to confirm the payment." in page
    assert "Confirm the payment" in page


def test_a_paid_invoice_leads_nowhere(account, owner):
    pay_through_stripe(account, state="paid", hosted_invoice_url="https://pay.test/in_1")
    page = read(owner, "/a/acme/invoices/2026-000001/")
    assert "€49.00 is paid." in squeeze(page)
    assert "pay.test" not in page
