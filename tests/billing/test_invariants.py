from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from billing import invariants, invoicing, subscriptions
from billing.models import Invoice, InvoiceLine, InvoiceMove, InvoiceSeries, Period, Price, Tier
from billing.rating import TierTerms, graduated, rate, write_steps
from billing.subscriptions import SubscriptionFact
from jobs.invariants import Violation
from metering import adjustments, corrections
from metering.ingest import UsageEvent
from metering.models import Event
from tests.billing.makers import FEB, HOUR, JAN, MAR, MID_JAN, make_plan, make_subscription, use

pytestmark = pytest.mark.django_db


@pytest.fixture
def triggers_off():
    """Writes that the database refuses to everybody else, to see that the check would notice them."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")


def make_history():
    """January and February closed, March open; usage within the included units and a few bytes."""
    subscription = make_subscription(started_at=JAN, at=MAR)
    use("acme", sizes=[100_000_000, 50_000_000], time=MID_JAN)
    january, february, _ = Period.objects.filter(subscription_id=subscription.id).order_by("starts_at")
    for period in (january, february):
        invoicing.close_period(period.pk, at=MAR + HOUR)
    return subscription


def list_rules():
    return {violation.rule for violation in invariants.check()}


def test_a_sound_history_has_nothing_to_report(django_assert_max_num_queries):
    make_history()
    with django_assert_max_num_queries(58):
        assert list(invariants.check()) == []


def test_an_empty_database_has_nothing_to_report():
    assert list(invariants.check()) == []


def open_again():
    Period.objects.filter(starts_at=JAN).update(closed_at=None)


def remove_an_invoice():
    InvoiceMove.objects.filter(invoice__number="2026-000001").delete()
    InvoiceLine.objects.filter(invoice__number="2026-000001").delete()
    Invoice.objects.filter(number="2026-000001").delete()


def remove_all_periods():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_period")


def damage_tiers():
    Tier.objects.filter(position=2).update(up_to=Decimal(5_000))


DAMAGE = {
    "a published price can be charged": [
        damage_tiers,
        lambda: Tier.objects.filter(up_to=None).delete(),
        lambda: Price.objects.filter(model="flat").update(description=""),
    ],
    "a published version has a price": [lambda: (Tier.objects.all().delete(), Price.objects.all().delete())],
    "a closed period has one invoice": [
        remove_an_invoice,
        lambda: Invoice.objects.filter(number="2026-000001").update(state="void"),
    ],
    "an open period has no invoice": [open_again],
    "periods follow one another from the start": [
        lambda: Period.objects.filter(starts_at=FEB).update(starts_at=FEB + HOUR),
        lambda: Period.objects.filter(starts_at=JAN).update(starts_at=JAN + HOUR),
        remove_all_periods,
    ],
    "an invoice's total is the sum of its lines": [
        lambda: Invoice.objects.filter(number="2026-000001").update(total_minor=1, subtotal_minor=1, due_minor=1),
        lambda: InvoiceLine.objects.filter(invoice__number="2026-000001").delete(),
    ],
    "a closed period has no draft": [
        lambda: Invoice.objects.filter(number="2026-000002").update(state="draft", number=None, issued_at=None)
    ],
    "an invoice agrees with its period": [
        lambda: Invoice.objects.filter(number="2026-000001").update(currency="USD"),
        lambda: Invoice.objects.filter(number="2026-000001").update(period_end=MAR),
    ],
    "a line is the sum of its steps": [lambda: InvoiceLine.objects.filter(position=1).update(steps=[])],
    "a line is rounded once": [lambda: InvoiceLine.objects.filter(position=3).update(amount_minor=7)],
    "a line is what its plan version asks": [
        lambda: Price.objects.filter(model="per_unit").update(unit_amount=Decimal("0.00000000008")),
        lambda: InvoiceLine.objects.filter(position=3).update(position=4),
    ],
    "numbers have no gap": [
        lambda: Invoice.objects.filter(number="2026-000002").update(number="2026-000003", sequence=3),
        lambda: InvoiceSeries.objects.update(last_number=3),
        remove_an_invoice,
    ],
    "nothing is billed that was not used": [
        lambda: InvoiceLine.objects.filter(position=2).update(quantity=Decimal(3)),
    ],
}


@pytest.mark.parametrize(
    ("rule", "damage"),
    [
        pytest.param(rule, damage, id=f"{rule} ({number})")
        for rule, damages in DAMAGE.items()
        for number, damage in enumerate(damages, start=1)
    ],
)
def test_each_rule_notices_what_breaks_it(rule, damage, triggers_off):
    make_history()
    assert rule not in list_rules()
    damage()
    assert rule in list_rules()


def test_a_violation_names_its_subject_and_both_figures(triggers_off):
    make_history()
    Invoice.objects.filter(number="2026-000001").update(total_minor=1, subtotal_minor=1, due_minor=1)
    assert list(invariants.check()) == [
        Violation(
            "an invoice's total is the sum of its lines",
            "invoice 2026-000001",
            "the total is 1, its lines add up to 4901",
        )
    ]


def test_amounts_with_more_digits_than_python_keeps_by_default_are_compared_exactly():
    price = graduated("Usage", meter_key="usage", tiers=[TierTerms(None, Decimal("100.000000000001"))])
    rated = rate(price, Decimal("100.000000000001"))
    assert rated.amount_exact == Decimal("10000.000000000200000000000001")
    line = InvoiceLine(
        invoice=Invoice(currency="EUR"),
        position=1,
        quantity=rated.quantity,
        steps=write_steps(rated.steps),
        amount_exact=rated.amount_exact,
        amount_minor=rated.round("EUR").minor,
    )
    assert list(invariants.check_line(line, replace(make_plan(), prices=(price,)))) == []


def test_late_usage_is_no_violation():
    make_history()
    use("acme", sizes=[100], time=MID_JAN + timedelta(days=1), at=MAR + 2 * HOUR)
    assert list(invariants.check()) == []


def correct_billed_usage() -> tuple[SubscriptionFact, Decimal]:
    """January billed, then one request retracted, one replaced, and one late. Returns what the bytes changed by."""
    subscription = make_subscription(started_at=JAN, at=JAN)
    use("acme", sizes=[100, 20, 3], time=MID_JAN)
    ids = list(Event.objects.order_by("event_id").values_list("event_id", flat=True))
    [period] = Period.objects.filter(subscription_id=subscription.id)
    invoicing.close_period(period.pk, at=FEB)
    note = {"reason": "sent twice", "made_by": "ops", "at": FEB + HOUR}
    before = {event.event_id: event.data["bytes"] for event in Event.objects.all()}
    corrections.retract_event("test", ids[0], **note)
    instead = UsageEvent("test", "instead", "web.request", "acme", MID_JAN, {"bytes": 7})
    corrections.replace_event("test", ids[1], instead, **note)
    use("acme", sizes=[1], time=MID_JAN, at=FEB)
    return subscription, Decimal(8 - before[ids[0]] - before[ids[1]])


def test_billed_usage_that_was_corrected_is_no_violation_and_late_differences_agree_with_adjustments():
    subscription, changed = correct_billed_usage()
    differences = {each.unit: each.used - each.billed for each in invoicing.list_late_differences()}
    assert differences == {"byte": changed}
    adjusted: dict[str, Decimal] = defaultdict(Decimal)
    for each in adjustments.list_adjustments(account_id=subscription.account_id, start=JAN, end=FEB):
        adjusted[each.meter_key] += each.quantity
    assert adjusted == {"requests": 0, "bandwidth": changed}
    assert list(invariants.check()) == []


def test_a_difference_that_no_adjustment_explains_is_a_violation(triggers_off):
    correct_billed_usage()
    InvoiceLine.objects.filter(unit="byte").update(quantity=Decimal(3))
    assert "nothing is billed that was not used" in list_rules()


def test_a_draft_plan_that_makes_no_sense_is_no_violation():
    plan = make_plan()
    subscriptions.list_limit_terms(plan.version_id)
    assert list(invariants.check()) == []
