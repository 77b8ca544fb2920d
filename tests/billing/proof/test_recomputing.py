# ruff: noqa: S608  (statements of constants)
"""An invoice made anew from raw events: the same, or the first difference."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from billing import coupons, invoicing, plans, subscriptions
from billing.ahead import invoices as progress
from billing.ahead.thresholds import Thresholds
from billing.drafting import draft_items
from billing.invoicing import UnknownInvoice
from billing.issuing import issue_one_off
from billing.models import InvoiceLine, Period
from billing.proof.recomputing import Difference, ProofState, prove_invoice
from billing.rating import TierTerms, flat_fee, graduated, per_unit
from metering.corrections import retract_event
from metering.models import Event, Pruning
from tests.billing.credits.makers import give
from tests.billing.late.test_settling import come_late, make_billed, settle
from tests.billing.makers import (
    BY_HOST,
    CARDS,
    FEB,
    HOUR,
    JAN,
    MAR,
    MID_JAN,
    make_detailed_meters,
    make_plan,
    make_subscription,
    send,
    use,
)
from tests.billing.test_drafting import tax
from tests.billing.test_items import add

pytestmark = pytest.mark.django_db

LATER = FEB + timedelta(days=2)
TIERS = (TierTerms(Decimal(10), Decimal("0.25")), TierTerms(None, Decimal("0.125"), flat_amount=Decimal(1)))
PRICES = (
    flat_fee("Base fee", Decimal(49)),
    graduated("Requests", meter_key="requests", tiers=TIERS, included_units=Decimal(5)),
    per_unit("Bandwidth", meter_key="bandwidth", unit_amount=Decimal("0.0000000123")),
)


@pytest.fixture
def invoice():
    """A fee, requests and bandwidth with a discount, a tax, an item and credit; other accounts' events beside it."""
    subscription = make_subscription(plan=make_plan(prices=PRICES))
    account_id = subscription.account_id
    use("acme", sizes=[5_000_000] * 30, time=MID_JAN)
    make_subscription("other", plan=plans.find_plan("growth"))
    use("other", sizes=[7] * 3, time=MID_JAN)
    tax(account_id, ("VAT", "19.6", False), ("City", "1", True))
    coupons.create_coupon(code="tenth", name="A tenth off", percent=Decimal(10))
    coupons.apply_coupon(code="tenth", account_id=account_id, at=MID_JAN)
    add(account_id, "30.00", subscription_id=subscription.id)
    give(1_000, account_id=account_id, at=MID_JAN)
    return invoicing.close_period(subscription.period_id, at=FEB)


def test_an_invoice_is_proved_by_its_raw_events(invoice):
    proof = prove_invoice(invoice.number)
    assert (proof.state, proof.difference, proof.reason) == (ProofState.PROVED, None, "")
    assert proof.found_minor == proof.total_minor == invoice.total_minor
    assert (proof.line_count, proof.event_count, proof.late_count) == (4, 60, 0)


def test_what_was_counted_or_corrected_since_is_no_part_of_the_proof(invoice):
    use("acme", sizes=[1, 1], time=MID_JAN, at=LATER)
    first = Event.objects.filter(subject="acme").order_by("event_id").first()
    retract_event(first.source, first.event_id, reason="wrong", made_by="tests", at=LATER + HOUR)
    proof = prove_invoice(invoice.number)
    assert (proof.state, proof.difference) == (ProofState.PROVED, None)
    assert (proof.late_count, proof.corrected_count) == (2, 1)


def test_a_proof_reads_no_rollup(invoice):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE metering_hourlyrollup SET total = 1, event_count = 1, digest = 1")
    assert prove_invoice(invoice.number).state == ProofState.PROVED


def test_prices_by_dimension_and_by_transaction_are_proved():
    make_detailed_meters()
    subscription = make_subscription(plan=make_plan(prices=[CARDS, BY_HOST], limits=()))
    send("acme", "card.paid", *[(MID_JAN + n * HOUR, {"amount": 10 * n}) for n in range(20)])
    hosts = ["a", "b", "c", "a", None]
    send("acme", "web.request", *[(MID_JAN, {"bytes": 7, "host": host}) for host in hosts])
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    proof = prove_invoice(invoice.number)
    assert (proof.state, proof.difference) == (ProofState.PROVED, None)
    assert proof.event_count == 25


def test_a_one_off_invoice_is_proved_by_its_items():
    account_id = make_subscription().account_id
    add(account_id, "30.00")
    draft = draft_items(account_id=account_id, currency="EUR", at=MID_JAN)
    issued = issue_one_off(draft.pk, at=MID_JAN)
    proof = prove_invoice(issued.number)
    assert (proof.state, proof.total_minor, proof.event_count) == (ProofState.PROVED, 3_000, 0)


def run(sql: str) -> Callable[[], None]:
    """What nobody can do through the project: the triggers that forbid it are off."""

    def act() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(sql)
            cursor.execute("SET LOCAL session_replication_role = DEFAULT")

    return act


ONE = """WHERE event_id = (
    SELECT min(event_id) FROM metering_event WHERE subject = 'acme' AND received_at < '2026-02-01'
)"""
BREAKS = {
    f"DELETE FROM metering_event {ONE}": (2, "count of events"),
    "INSERT INTO metering_event SELECT * FROM metering_event WHERE subject = 'acme' LIMIT 1": (2, "count of events"),
    f"UPDATE metering_event SET event_id = 'another' {ONE}": (2, "digest of events"),
    f"UPDATE metering_event SET happened_at = happened_at + interval '1 microsecond' {ONE}": (2, "digest of events"),
    f"UPDATE metering_event SET data = '{{\"bytes\": 1}}' {ONE}": (2, "digest of events"),
    "UPDATE billing_invoiceline SET event_digest = repeat('0', 64) WHERE position = 3": (3, "digest of events"),
    "UPDATE billing_invoiceline SET quantity = quantity + 1 WHERE position = 3": (3, "quantity"),
    "UPDATE billing_invoiceline SET steps = '[]' WHERE position = 2": (2, "steps"),
    "UPDATE billing_invoiceline SET amount_exact = 48 WHERE position = 1": (1, "exact amount"),
    "UPDATE billing_invoiceline SET amount_minor = 4901 WHERE position = 1": (1, "amount"),
    "UPDATE billing_invoiceline SET discount_minor = 1 WHERE position = 1": (1, "discount"),
    "UPDATE billing_invoiceline SET taxes = jsonb_set(taxes, '{1,minor}', '9') WHERE position = 4": (4, "taxes"),
    "UPDATE billing_invoiceline SET subtotal_minor = subtotal_minor + 1, tax_minor = tax_minor - 1": (1, "subtotal"),
    "UPDATE billing_price SET unit_amount = 50 WHERE meter_id IS NULL": (1, "steps"),
    "UPDATE billing_invoiceitem SET amount_minor = 2": (4, "amount of its item"),
    "UPDATE billing_invoice SET tax_minor = tax_minor + 1, subtotal_minor = subtotal_minor - 1": (None, "subtotal"),
    "UPDATE billing_invoice SET credited_minor = 999, due_minor = total_minor - 999": (None, "credit"),
    "UPDATE billing_creditentry SET amount_minor = -999 WHERE kind = 'burned'": (None, "credit"),
    "UPDATE metering_meterversion SET value = 'bytes + 1' WHERE value = 'bytes'": (3, "quantity"),
}


@pytest.mark.parametrize("sql", BREAKS)
def test_the_first_difference_is_named(invoice, sql):
    run(sql)()
    proof = prove_invoice(invoice.number)
    assert proof.state == ProofState.DIFFERS
    assert proof.difference is not None
    assert (proof.difference.position, proof.difference.field) == BREAKS[sql]


def test_a_difference_says_what_is_stated_and_what_was_found(invoice):
    run(f"DELETE FROM metering_event {ONE}")()
    assert prove_invoice(invoice.number).difference == Difference(2, "count of events", "30", "29")


def test_what_was_dropped_cannot_be_proved(invoice):
    Pruning.objects.create(month=JAN.date(), event_count=1, kept_after=MID_JAN, pruned_at=LATER)
    proof = prove_invoice(invoice.number)
    assert (proof.state, proof.found_minor) == (ProofState.UNPROVABLE, None)
    assert "pruned" in proof.reason


def test_a_line_without_a_digest_cannot_say_which_events(invoice):
    run("UPDATE billing_invoiceline SET event_digest = NULL")()
    proof = prove_invoice(invoice.number)
    assert (proof.state, proof.found_minor) == (ProofState.UNPROVABLE, invoice.total_minor)
    assert "[2, 3]" in proof.reason


def test_a_difference_is_told_also_where_digests_are_missing(invoice):
    run("UPDATE billing_invoiceline SET event_digest = NULL")()
    run(f"DELETE FROM metering_event {ONE}")()
    assert prove_invoice(invoice.number).state == ProofState.DIFFERS


@pytest.mark.parametrize("number", ["2026-999999", "", "\0"])
def test_an_invoice_that_is_not_there_is_unknown(invoice, number):
    with pytest.raises(UnknownInvoice):
        prove_invoice(number)


def test_an_invoice_of_another_account_is_unknown(invoice):
    other = make_subscription("third", plan=plans.find_plan("growth"))
    with pytest.raises(UnknownInvoice):
        prove_invoice(invoice.number, account_id=other.account_id)


def command(capsys, *arguments: str) -> tuple[int, str]:
    try:
        call_command("prove_invoice", *arguments)
    except SystemExit as end:
        return int(str(end)), capsys.readouterr().out
    return 0, capsys.readouterr().out


def test_the_command_prints_the_same_total(invoice, capsys):
    status, out = command(capsys, invoice.number)
    assert status == 0
    assert out.splitlines()[-1] == f"PROVED: €{Decimal(invoice.total_minor) / 100}."


def test_the_command_prints_the_first_difference_and_fails(invoice, capsys):
    use("acme", sizes=[1], time=MID_JAN, at=LATER)
    run(f"DELETE FROM metering_event {ONE}")()
    status, out = command(capsys, invoice.number)
    assert status == 1
    assert out.splitlines()[2:] == [
        "Events counted after it was issued, and left out: 1.",
        "DIFFERS in the count of events of line 2.",
        "  stated:     30",
        "  recomputed: 29",
    ]


def test_the_command_says_that_it_cannot(invoice, capsys):
    Pruning.objects.create(month=JAN.date(), event_count=1, kept_after=MID_JAN, pruned_at=LATER)
    status, out = command(capsys, invoice.number)
    assert status == 2
    assert out.splitlines()[-1].startswith("CANNOT BE PROVED. Raw events up to 2026-01-15 12:00 UTC were pruned")


def test_the_command_speaks_json(invoice, capsys):
    status, out = command(capsys, invoice.number, "--json")
    told = json.loads(out)
    assert (status, told["state"], told["found_minor"]) == (0, "proved", invoice.total_minor)


def test_the_command_knows_no_such_invoice():
    with pytest.raises(CommandError, match="no invoice 1"):
        call_command("prove_invoice", "1")


def test_a_proof_costs_as_many_statements_whatever_was_used(invoice, django_assert_max_num_queries):
    assert InvoiceLine.objects.count() == 4
    with django_assert_max_num_queries(30):
        prove_invoice(invoice.number)


def test_a_period_that_was_billed_ahead_is_proved_by_its_own_invoice():
    calls = per_unit("Calls", meter_key="requests", unit_amount=Decimal(1))
    plan = make_plan(prices=[calls], limits=(), thresholds=Thresholds((Decimal(10),)))
    subscription = make_subscription(plan=plan)
    use("acme", sizes=[1] * 12, time=MID_JAN)
    ahead = progress.bill_ahead(subscription.id, at=MID_JAN)
    use("acme", sizes=[1], time=MID_JAN + HOUR)
    final = invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    assert [line.kind for line in final.lines] == ["price", "prebilled"]
    proof = prove_invoice(final.number)
    assert (proof.state, proof.difference, proof.event_count) == (ProofState.PROVED, None, 13)
    assert prove_invoice(ahead.number).state == ProofState.UNPROVABLE


def test_both_invoices_are_proved_where_the_second_bills_what_came_late():
    subscription, first = make_billed()
    come_late(5)
    settle(first)
    subscriptions.open_next_periods(FEB)
    use("acme", sizes=[1] * 2, time=FEB + HOUR)
    february = Period.objects.get(subscription_id=subscription.id, starts_at=FEB)
    second = invoicing.close_period(february.pk, at=MAR)
    assert [(line.kind, line.amount_minor) for line in second.lines] == [("price", 20), ("late", 50)]
    proofs = [prove_invoice(number) for number in (first.number, second.number)]
    assert [(proof.state, proof.difference, proof.late_count) for proof in proofs] == [
        (ProofState.PROVED, None, 5),
        (ProofState.PROVED, None, 0),
    ]
