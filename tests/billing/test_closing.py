from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import closing, invariants, invoicing, plans, subscriptions, tax_rates
from billing.models import Invoice, InvoiceLine, InvoiceSeries, Period
from billing.rating import flat_fee, per_unit
from metering import accounts
from tests.billing.credits.makers import give
from tests.billing.makers import (
    BANDWIDTH,
    BASE_FEE,
    FEB,
    HOUR,
    JAN,
    MAR,
    MID_JAN,
    REQUESTS,
    make_account,
    make_detailed_meters,
    make_plan,
    make_subscription,
    use,
)

pytestmark = pytest.mark.django_db


def make_subscriptions(*keys, plan_slug="growth"):
    return [
        subscriptions.create_subscription(account_id=make_account(key).id, plan_slug=plan_slug, started_at=JAN, at=JAN)
        for key in keys
    ]


def assert_sound():
    assert list(invariants.check()) == []


def test_periods_are_closed_in_the_order_asked_and_say_what_was_issued():
    make_plan()
    acme, beta = make_subscriptions("acme", "beta")
    use("beta", sizes=[0] * 10_250, time=MID_JAN)
    closed = closing.close_periods([beta.period_id, acme.period_id], at=FEB + HOUR)
    assert [(each.period_id, each.total_minor, each.currency, each.error) for each in closed] == [
        (beta.period_id, 4950, "EUR", None),
        (acme.period_id, 4900, "EUR", None),
    ]
    for each, subscription in zip(closed, [beta, acme], strict=True):
        invoice = invoicing.read_invoice(account_id=subscription.account_id, number=each.number)
        assert (invoice.id, invoice.total_minor) == (each.invoice_id, each.total_minor)
    assert {each.number for each in closed} == {"2026-000001", "2026-000002"}
    assert_sound()


def test_closing_again_returns_the_same_invoices():
    make_plan()
    ids = [each.period_id for each in make_subscriptions("acme", "beta")]
    first = closing.close_periods(ids, at=FEB)
    assert closing.close_periods(ids, at=FEB + HOUR) == first
    assert (Invoice.objects.count(), InvoiceSeries.objects.get().last_number) == (2, 2)


def test_one_that_fails_says_why_and_the_others_are_closed():
    make_plan()
    [acme] = make_subscriptions("acme")
    early = subscriptions.create_subscription(
        account_id=make_account("late").id, plan_slug="growth", started_at=FEB, at=FEB
    )
    closed = closing.close_periods([404, early.period_id, acme.period_id], at=FEB)
    assert [each.error for each in closed] == [
        "UnknownPeriod: There is no period 404.",
        f"PeriodNotOver: The period ends at {MAR}; it cannot be closed at {FEB}.",
        None,
    ]
    assert [each.number for each in closed] == [None, None, "2026-000001"]
    assert Invoice.objects.count() == 1
    assert_sound()


def test_a_free_period_is_closed_without_an_invoice():
    subscription = make_subscription()
    Period.objects.filter(pk=subscription.period_id).update(is_free=True)
    [closed] = closing.close_periods([subscription.period_id], at=FEB)
    assert closed == closing.Closed(subscription.period_id)
    assert Period.objects.get(pk=subscription.period_id).closed_at == FEB


def test_what_is_composed_is_what_the_invoice_will_say_and_nothing_is_written():
    make_plan()
    ids = [each.period_id for each in make_subscriptions("acme", "beta")]
    use("acme", sizes=[100_000_000] * 12, time=MID_JAN)
    composed = closing.compose_periods(ids, at=FEB)
    assert [each.sums.total_minor for each in composed] == [4911, 4900]
    assert not Invoice.objects.exists()
    assert not InvoiceLine.objects.exists()
    assert not Period.objects.filter(closed_at__isnull=False).exists()
    closed = closing.close_periods(ids, at=FEB)
    assert [each.total_minor for each in closed] == [each.sums.total_minor for each in composed]
    for each, row in zip(composed, closed, strict=True):
        assert each.lines == invoicing.read_invoice(account_id=each.account_id, number=row.number).lines


def test_a_period_under_way_is_composed_with_what_was_used_so_far():
    make_plan(prices=[flat_fee("Base fee", Decimal("49.00"))], limits=[])
    [acme] = make_subscriptions("acme")
    [composed, unknown] = closing.compose_periods([acme.period_id, 404], at=JAN + timedelta(days=1))
    assert (composed.currency, composed.plan_name, composed.sums.total_minor) == ("EUR", "Growth", 4900)
    assert unknown.error == "UnknownPeriod: There is no period 404."


def test_a_free_period_is_composed_of_nothing():
    subscription = make_subscription()
    Period.objects.filter(pk=subscription.period_id).update(is_free=True)
    [composed] = closing.compose_periods([subscription.period_id], at=FEB)
    assert (composed.lines, composed.sums.total_minor, composed.error) == ((), 0, None)


def make_metered(count):
    """Subscriptions of a flat fee and three metered lines, each with usage, a tax and credit; their periods."""
    make_plan()
    make_detailed_meters()
    traffic = per_unit("Traffic", meter_key="traffic", unit_amount=Decimal("0.00000001"))
    plans.create_plan(
        slug="wide", name="Wide", rank=9, currency="EUR", prices=[BASE_FEE, REQUESTS, BANDWIDTH, traffic], at=JAN
    )
    ids = accounts.create_accounts(((f"cus_{number}", f"Customer {number}") for number in range(count)), at=JAN)
    subscriptions.create_subscriptions(account_ids=ids.values(), plan_slug="wide", started_at=JAN, at=JAN)
    rate = tax_rates.create_tax_rate(name="VAT", percent=Decimal(20))
    for key, account_id in ids.items():
        tax_rates.set_tax_rates(account_id=account_id, rate_ids=[rate])
        give(1_000, account_id=account_id, at=JAN)
        use(key, sizes=[100_000_000] * 12, time=MID_JAN)
    return list(Period.objects.order_by("pk").values_list("pk", flat=True))


def test_a_hundred_periods_cost_as_many_statements_as_fifty():
    ids = make_metered(150)
    counts = []
    for part in (ids[:50], ids[50:]):
        with CaptureQueriesContext(connection) as captured:
            closed = closing.close_periods(part, at=FEB)
        counts.append(len(captured))
        assert {(each.total_minor, each.error) for each in closed} == {(7_333, None)}
    assert counts[0] == counts[1] <= 48
    assert Invoice.objects.filter(credited_minor=1_000).count() == 150
    assert_sound()
