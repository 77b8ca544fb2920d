from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import invariants, invoicing
from billing.credits import grants, ledger, spending
from billing.credits.grants import RecurrenceTerms
from billing.credits.spending import AppliedCredit, Bill, BillLine
from billing.periods import Interval
from tests.billing.credits.makers import DAY, NOON, burn, give, list_entries, read_settled
from tests.billing.makers import FEB, HOUR, JAN, MID_JAN, make_account, make_subscription, numbers, use

pytestmark = pytest.mark.django_db


def test_a_bill_is_paid_line_by_line_as_far_as_there_is_credit():
    grant = give(1_000)
    lines = [BillLine(1, 600), BillLine(2, 700)]
    applied = spending.burn_credits(grant.account_id, lines, currency="EUR", key="bill", moment=NOON, at=NOON)
    assert applied == (AppliedCredit(grant.id, 1, 600), AppliedCredit(grant.id, 2, 400))
    assert list_entries() == [("granted", 1_000), ("burned", -600), ("burned", -400)]
    assert read_settled(grant.account_id) == 0


def test_without_credit_nothing_is_paid():
    assert burn(make_account().id, 500) == {}


def test_the_order_is_priority_then_expiry_then_age():
    account_id = make_account().id
    last = give(100, account_id=account_id, priority=2)
    third = give(100, account_id=account_id, priority=1)
    second = give(100, account_id=account_id, priority=1, effective_at=NOON - DAY)
    first = give(100, account_id=account_id, priority=1, expires_at=NOON + DAY)
    assert burn(account_id, 350) == {first.id: 100, second.id: 100, third.id: 100, last.id: 50}


def test_a_grant_pays_for_its_prices_alone():
    grant = give(1_000, scope=["requests"])
    assert burn(grant.account_id, 500, 300, prices=["bandwidth", "requests"]) == {grant.id: 300}


def test_credit_of_another_account_or_currency_pays_nothing():
    grant = give(1_000)
    give(1_000, account_id=grant.account_id, currency="USD")
    assert burn(make_account("other").id, 500) == {}
    assert burn(grant.account_id, 1_500) == {grant.id: 1_000}


@pytest.mark.parametrize(
    ("terms", "pays"),
    [
        ({"effective_at": FEB}, False),
        ({"effective_at": FEB - timedelta(microseconds=1)}, True),
        ({"expires_at": FEB}, True),
        ({"expires_at": FEB - timedelta(microseconds=1)}, False),
    ],
)
def test_credit_pays_for_a_period_that_it_outlives(terms, pays):
    grant = give(1_000, at=JAN, **terms)
    paid = burn(grant.account_id, 10, at=FEB + HOUR, moment=FEB - timedelta(microseconds=1))
    assert bool(paid) is pays


def test_a_series_that_is_behind_recurs_before_it_pays():
    grant = give(100, recurrence=RecurrenceTerms(Interval.DAY))
    paid = burn(grant.account_id, 70, at=NOON + 2 * DAY)
    assert (list(paid.values()), grant.id in paid) == ([70], False)


def test_a_bill_that_was_paid_is_not_paid_again():
    grant = give(1_000)
    assert burn(grant.account_id, 300) == burn(grant.account_id, 300) == {grant.id: 300}
    assert list_entries() == [("granted", 1_000), ("burned", -300)]


def test_a_bill_that_is_rolled_back_leaves_the_credit():
    grant = give(1_000)
    with transaction.atomic():
        assert burn(grant.account_id, 300) == {grant.id: 300}
        transaction.set_rollback(True)
    assert burn(grant.account_id, 1_000, key="bill 2") == {grant.id: 1_000}


def make_bill(account_id, key, amount):
    return Bill(key, account_id, "EUR", (BillLine(1, amount),), NOON)


def test_many_bills_take_in_turn_and_cost_as_much_as_one(django_assert_num_queries):
    account_ids = [make_account(f"account-{number}").id for number in range(5)]
    for account_id in account_ids:
        give(1_000, account_id=account_id)
    bills = [make_bill(pk, f"{part} {pk}", 700) for pk in account_ids for part in ("one", "two")]
    with django_assert_num_queries(
        8
    ):  # savepoint, locked, recurring, read, burned before, written, to be told, released
        applied = spending.burn_bills(bills, at=NOON)
    assert {key: sum(each.amount_minor for each in parts) for key, parts in applied.items()} == {
        f"{part} {pk}": amount for pk in account_ids for part, amount in (("one", 700), ("two", 300))
    }


def test_what_a_void_bill_took_is_given_back_once():
    grant = give(1_000)
    burn(grant.account_id, 300, 200)
    assert spending.refund_burns(grant.account_id, key="bill 1", at=NOON + DAY) == {grant.id: 500}
    assert spending.refund_burns(grant.account_id, key="bill 1", at=NOON + DAY) == {}
    assert read_settled(grant.account_id) == 1_000
    assert list_entries()[-1] == ("refunded", 500)


def test_what_comes_back_to_a_void_grant_is_void():
    grant = give(1_000)
    burn(grant.account_id, 300)
    grants.void_grant(grant.id, at=NOON)
    assert spending.refund_burns(grant.account_id, key="bill 1", at=NOON) == {}
    assert list_entries()[-2:] == [("refunded", 300), ("voided", -300)]


def make_invoice():
    subscription = make_subscription(started_at=MID_JAN)
    return invoicing.close_period(subscription.period_id, at=FEB)


def test_the_ledger_names_the_invoice_that_was_paid():
    invoice = make_invoice()
    give(account_id=invoice.account_id, at=JAN)
    [line, *_] = invoice.lines
    asked = [BillLine(line.position, line.amount_minor, spending.name_price(line))]
    spending.burn_credits(
        invoice.account_id, asked, currency="EUR", key="invoice", moment=MID_JAN, at=FEB, invoice_id=invoice.id
    )
    burned, granted = ledger.list_entries(account_id=invoice.account_id, currency="EUR")
    assert (burned.kind, burned.invoice, burned.line, burned.amount_minor) == ("burned", "2026-000001", 1, -1_000)
    assert granted.invoice is None


def test_a_grant_does_not_pay_for_another_accounts_invoice():
    invoice = make_invoice()
    grant = give(account_id=make_account("other").id)
    entry = ledger.make_entry(grant.id, "burned", -5, key="x", at=NOON, invoice_id=invoice.id)
    with pytest.raises(IntegrityError, match="not of the account and currency"), transaction.atomic():
        ledger.write_entries([entry])


def test_a_price_is_named_by_its_meter_or_by_what_it_is_for():
    names = [spending.name_price(line) for line in make_invoice().lines]
    assert names == ["Base fee", "requests", "bandwidth"]


def test_ongoing_is_what_is_left_once_usage_is_billed():
    subscription = make_subscription(started_at=MID_JAN)
    grant = give(10_000, account_id=subscription.account_id, at=JAN)
    use("acme", sizes=[1_200_000_000], time=MID_JAN)
    read = {"account_id": grant.account_id, "currency": "EUR"}
    running = ledger.read_wallet(at=MID_JAN + HOUR, **read)
    assert (running.settled_minor, running.unbilled_minor, running.ongoing_minor) == (10_000, 11, 9_989)
    over = ledger.read_wallet(at=FEB, **read)
    assert (over.unbilled_minor, over.ongoing_minor) == (4_911, 5_089)  # the fee is owed now
    invoicing.close_period(subscription.period_id, at=FEB)
    assert ledger.read_wallet(at=FEB, **read).unbilled_minor == 0


GRANTS = st.lists(st.tuples(st.integers(1, 500), st.integers(0, 2)), max_size=4)
BILLS = st.lists(st.lists(st.integers(-20, 300), max_size=3), max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(GRANTS, BILLS)
def test_burned_and_remaining_is_what_was_granted(granted, bills):
    account_id = make_account(f"account-{next(numbers)}").id
    for amount, priority in granted:
        give(amount, account_id=account_id, priority=priority)
    left = sum(amount for amount, _ in granted)
    for number, amounts in enumerate(bills):
        paid = sum(burn(account_id, *amounts, key=f"bill {number}").values())
        assert paid == min(left, sum(max(amount, 0) for amount in amounts))
        left -= paid
    assert read_settled(account_id) == left
    assert list(invariants.check()) == []


def test_a_wallet_below_nothing_says_so():
    wallet = ledger.Wallet(1, "EUR", settled_minor=1_000, drafts_minor=700, unbilled_minor=400)
    assert wallet.ongoing_minor == -100
    assert replace(wallet, drafts_minor=0).ongoing_minor == 600
