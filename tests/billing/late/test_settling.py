from datetime import timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import IntegrityError, transaction

from billing import coupons, credit_notes, invariants, invoicing, lifecycle, moves, subscriptions, tax_rates
from billing.late import changes as late_changes
from billing.late import leftovers
from billing.late import settling as late_settling
from billing.late.policy import LatePolicy
from billing.models import Invoice, InvoiceItem, InvoiceLine, LateBatch, LateChange, LateSettlement, Subscription
from billing.rating import PriceModel, PriceTerms, TierTerms, per_unit
from jobs.models import Job
from metering import corrections
from metering.ingest import UsageEvent
from metering.models import Event
from tests.billing.makers import (
    BASE_FEE,
    BY_HOST,
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
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

LATE = FEB + 2 * HOUR
NEXT = FEB + timedelta(days=2)
CALLS = per_unit("Calls", meter_key="requests", unit_amount=Decimal("0.10"))
DAY = timedelta(days=1)


def make_billed(used=10, *, key="acme", prices=(CALLS,), before=lambda subscription: None, **terms):
    """An invoice for January over so many calls at 0.10; with `before` done first."""
    subscription = make_subscription(key, plan=make_plan(prices=prices, limits=(), **terms))
    before(subscription)
    use(key, sizes=[1] * used, time=MID_JAN)
    return subscription, invoicing.close_period(subscription.period_id, at=FEB + HOUR)


def come_late(count, *, key="acme", at=LATE):
    use(key, sizes=[1] * count, time=MID_JAN, at=at)


def settle(invoice, *, at=NEXT):
    late_changes.collect_changes(at)
    return late_settling.settle_late(invoice.id, at=at)


def open_february():
    subscriptions.open_next_periods(FEB)
    return Subscription.objects.get().periods.get(starts_at=FEB)


def list_settled():
    names = ("billed_minor", "rerated_minor", "action", "amount_minor", "discount_minor", "noted_minor")
    return list(LateSettlement.objects.order_by("pk").values_list(*names))


def list_items():
    return [item.amount_minor for item in InvoiceItem.objects.order_by("pk")]


def take_back_event(number, *, at=LATE):
    """Retract the nth of the events that were sent for calls."""
    ids = list(Event.objects.order_by("event_id").values_list("event_id", flat=True))
    corrections.retract_event("test", ids[number], reason="a test", made_by="ops", at=at)


def assert_sound():
    assert list(invariants.check()) == []


def test_late_usage_is_billed_on_the_next_invoice_as_the_difference():
    subscription, invoice = make_billed(10)
    come_late(5)
    batch = settle(invoice)
    assert list_settled() == [(100, 150, "bill", 50, 0, 0)]
    item = InvoiceItem.objects.get()
    assert (item.kind, item.amount_minor, item.subscription_id) == ("late", 50, subscription.id)
    assert item.description == f"Calls: counted after invoice {invoice.number}"
    assert (item.period_start, item.period_end) == (JAN, FEB)
    settlement = LateSettlement.objects.get()
    assert (settlement.quantity_before, settlement.quantity, settlement.event_count) == (10, 15, 15)
    change = LateChange.objects.get(batch=batch)
    assert (change.quantity, change.cause, change.counted_at, change.found_at) == (5, "late", LATE, NEXT)
    period = open_february()
    again = invoicing.close_period(period.pk, at=MAR + HOUR)
    assert [(line.kind, line.amount_minor) for line in again.lines] == [("price", 0), ("late", 50)]
    assert invoicing.read_invoice(account_id=subscription.account_id, number=invoice.number) == invoice
    assert_sound()


def test_settling_again_changes_nothing_and_all_lines_add_up_to_the_price():
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    assert settle(invoice) is None
    come_late(2, at=LATE + HOUR)
    come_late(1, at=LATE + 2 * HOUR)
    settle(invoice, at=NEXT + HOUR)
    assert list_settled() == [(100, 150, "bill", 50, 0, 0), (150, 180, "bill", 30, 0, 0)]
    assert list(LateBatch.objects.values_list("number", "made_at")) == [(1, NEXT), (2, NEXT + HOUR)]
    assert [change.batch.number for change in LateChange.objects.order_by("pk")] == [1, 2, 2]
    assert_sound()


def test_what_is_taken_back_is_credited():
    _, invoice = make_billed(10)
    take_back_event(0)
    settle(invoice)
    assert list_settled() == [(100, 90, "credit", -10, 0, 0)]
    assert (list_items(), LateChange.objects.get().cause) == ([-10], "correction")
    assert_sound()


def test_a_volume_price_that_falls_gives_back_more_than_the_late_usage_costs():
    """15 at 10 are 150; 16 at 5 are 80 (OpenMeter, rating/delta/README.md)."""
    tiers = (TierTerms(Decimal(15), Decimal(10)), TierTerms(None, Decimal(5)))
    price = PriceTerms("Calls", PriceModel.VOLUME, "requests", tiers=tiers)
    _, invoice = make_billed(15, prices=(price,))
    come_late(1)
    settle(invoice)
    assert list_settled() == [(15_000, 8_000, "credit", -7_000, 0, 0)]
    assert_sound()


POLICIES = {
    "only credited": (LatePolicy(bills=False), [(100, 150, "waive", 0, 0, 0), (100, 140, "waive", 0, 0, 0)]),
    "neither": (LatePolicy(bills=False, credits=False), [(100, 150, "waive", 0, 0, 0), (100, 140, "waive", 0, 0, 0)]),
    "waived under": (
        LatePolicy(waive_under_minor=50),
        [(100, 150, "bill", 50, 0, 0), (150, 140, "credit", -10, 0, 0)],
    ),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_version_says_what_is_done(name):
    policy, expected = POLICIES[name]
    _, invoice = make_billed(10, late=policy)
    come_late(5)
    settle(invoice)
    take_back_event(0, at=LATE + HOUR)
    settle(invoice, at=NEXT + HOUR)
    assert list_settled() == expected
    assert_sound()


def test_what_was_waived_for_being_small_counts_again_once_it_is_not():
    _, invoice = make_billed(10, late=LatePolicy(waive_under_minor=60))
    come_late(5)
    settle(invoice)
    come_late(1, at=LATE + HOUR)
    settle(invoice)
    assert list_settled() == [(100, 150, "waive", 0, 0, 0), (100, 160, "bill", 60, 0, 0)]
    assert list_items() == [60]
    assert_sound()


def test_without_a_word_of_the_version_the_installation_decides(settings):
    settings.BILLING_LATE_POLICY = {"late_usage": "settle", "waive_under": "0.51"}
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    assert list_settled() == [(100, 150, "waive", 0, 0, 0)]
    assert_sound()


def give(**terms):
    def apply(subscription):
        coupons.create_coupon(code="C", name="C", duration="forever", **terms)
        coupons.apply_coupon(code="C", account_id=subscription.account_id, at=MID_JAN)

    return apply


def test_a_percentage_is_taken_off_late_usage_too_also_where_nothing_was_billed():
    _, invoice = make_billed(0, before=give(percent=Decimal(25)))
    come_late(10)
    settle(invoice)
    assert (list_settled(), list_items()) == ([(0, 100, "bill", 100, 25, 0)], [75])
    take_back_event(0, at=LATE + HOUR)
    settle(invoice)
    assert (list_settled()[1], list_items()) == ((100, 90, "credit", -10, -2, 0), [75, -8])
    assert_sound()


def test_an_amount_is_taken_off_once_and_given_back_in_proportion():
    _, invoice = make_billed(10, before=give(amount_minor=50, currency="EUR"))
    assert invoice.total_minor == 50
    come_late(10)
    settle(invoice)
    assert list_settled() == [(100, 200, "bill", 100, 0, 0)]
    for number in range(15):
        take_back_event(number, at=LATE + HOUR + timedelta(seconds=number))
    settle(invoice)
    assert list_settled()[1] == (200, 50, "credit", -150, -25, 0)
    assert sum(list_items()) == 25 - invoice.total_minor
    assert_sound()


def test_taxes_come_as_on_any_line():
    def tax(subscription):
        rate = tax_rates.create_tax_rate(name="VAT", percent=Decimal(20))
        tax_rates.set_tax_rates(account_id=subscription.account_id, rate_ids=[rate])

    _, invoice = make_billed(10, before=tax)
    come_late(5)
    settle(invoice)
    period = open_february()
    late = invoicing.close_period(period.pk, at=MAR + HOUR).lines[-1]
    assert (late.amount_minor, late.tax_minor, late.total_minor) == (50, 10, 60)
    assert invoice.total_minor == 120


def test_usage_that_moves_between_dimension_values_is_seen():
    make_detailed_meters()
    subscription = make_subscription(plan=make_plan(prices=(BY_HOST,), limits=()))
    send("acme", "web.request", (MID_JAN, {"bytes": 1000, "host": "a"}))
    invoice = invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    assert invoice.total_minor == 2000
    event = Event.objects.get()
    moved = UsageEvent(
        source="test", id="moved", type="web.request", subject="acme", time=MID_JAN, data={"bytes": 1000, "host": "b"}
    )
    corrections.replace_event(event.source, event.event_id, moved, reason="other host", made_by="ops", at=LATE)
    settle(invoice)
    assert list_settled() == [(2000, 3000, "bill", 1000, 0, 0)]
    assert LateChange.objects.get().quantity == 0
    assert_sound()


def test_what_a_credit_note_gave_back_is_not_given_back_again():
    _, invoice = make_billed(10)
    note = {"destination": "due", "reason": "wrong usage", "at": FEB + HOUR}
    credit_notes.issue_credit_note(invoice.id, lines={1: 15}, key="note", **note)
    take_back_event(0)
    settle(invoice)
    assert (list_settled(), list_items()) == ([(100, 90, "credit", -10, 0, 10)], [])
    take_back_event(1, at=LATE + HOUR)
    settle(invoice)
    assert (list_settled()[1], list_items()) == ((90, 80, "credit", -10, 0, 5), [-5])
    with pytest.raises(credit_notes.CreditRefused):
        credit_notes.issue_credit_note(invoice.id, lines={1: 81}, key="too much", **note)
    credit_notes.issue_credit_note(invoice.id, lines={1: 80}, key="the rest", **note)
    assert_sound()


def test_late_usage_first_uses_up_what_was_asked_for_a_commitment():
    _, invoice = make_billed(10, commitment_minor=130)
    assert [(line.kind, line.amount_minor) for line in invoice.lines] == [("price", 100), ("true_up", 30)]
    come_late(5)
    settle(invoice)
    assert list_settled() == [(100, 150, "bill", 50, 0, 0), (30, 0, "credit", -30, 0, 0)]
    for number in range(7):
        take_back_event(number, at=LATE + HOUR + timedelta(seconds=number))
    settle(invoice)
    assert list_settled()[2:] == [(150, 80, "credit", -70, 0, 0), (0, 50, "bill", 50, 0, 0)]
    assert sum(list_items()) == 0
    assert_sound()


def test_a_commitment_that_was_reached_is_asked_once_usage_is_taken_back():
    _, invoice = make_billed(10, commitment_minor=95)
    take_back_event(0)
    settle(invoice)
    assert list_settled() == [(100, 90, "credit", -10, 0, 0), (0, 5, "bill", 5, 0, 0)]
    assert LateSettlement.objects.get(invoice_line=None).description == "Commitment"
    assert_sound()


# Void


def test_a_void_invoice_takes_what_was_settled_of_it_back():
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    come_late(1, at=LATE + HOUR)
    late_changes.collect_changes(NEXT)
    for _ in range(2):
        moves.void_invoice(invoice.id, reason="a mistake", at=NEXT + HOUR)
    assert list_settled()[1] == (150, 100, "take_back", -50, 0, 0)
    assert (list_items(), InvoiceItem.objects.get().withdrawn_at) == ([50], NEXT + HOUR)
    assert not LateChange.objects.filter(batch=None).exists()
    come_late(3, at=NEXT + 2 * HOUR)
    assert settle(invoice) is None
    assert LateChange.objects.get(invoice=None).quantity == 3
    assert_sound()


def test_what_the_next_invoice_billed_of_a_void_one_is_given_back_by_the_one_after_it():
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    assert invoicing.close_period(open_february().pk, at=MAR + HOUR).total_minor == 50
    come_late(1, at=NEXT)
    settle(invoice, at=MAR + DAY)
    moves.void_invoice(invoice.id, reason="a mistake", at=MAR + DAY)
    assert list_settled()[-1] == (160, 100, "take_back", -60, 0, 0)
    assert [(item.amount_minor, item.withdrawn_at) for item in InvoiceItem.objects.order_by("pk")] == [
        (50, None), (10, MAR + DAY), (-50, None),
    ]  # fmt: skip
    assert_sound()


def test_an_invoice_that_is_billed_again_holds_the_late_usage_itself():
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    again = moves.void_invoice(invoice.id, reason="wrong address", bills_again=True, at=NEXT + HOUR)
    assert [(line.kind, line.amount_minor) for line in again.lines.all()] == [("price", 150)]
    assert again.total_minor == 150
    come_late(2, at=NEXT + 2 * HOUR)
    settle(again, at=NEXT + DAY)
    assert list_settled()[-1] == (150, 170, "bill", 20, 0, 0)
    assert_sound()


# Jobs


def test_each_adjustment_is_found_once_and_one_job_is_promised_for_its_invoice():
    _, invoice = make_billed(10)
    come_late(1)
    come_late(1, at=LATE + HOUR)
    assert [late_changes.collect_changes(NEXT) for _ in range(2)] == [2, 0]
    assert [late_changes.enqueue_settlements(NEXT + each * HOUR) for each in range(2)] == [1, 0]
    job = Job.objects.get(kind=late_changes.SETTLE_LATE)
    assert (job.key, job.run_at) == (f"{invoice.id} 1", NEXT + DAY)
    settle(invoice)
    assert late_changes.enqueue_settlements(NEXT) == 0
    come_late(1, at=NEXT)
    late_changes.collect_changes(NEXT + HOUR)
    assert late_changes.enqueue_settlements(NEXT + HOUR) == 1


@pytest.mark.parametrize("overlap", [late_changes.OVERLAP, 0], ids=["few", "more than the overlap"])
def test_a_change_that_was_committed_late_is_found_although_later_ones_were_there(monkeypatch, overlap):
    monkeypatch.setattr(late_changes, "OVERLAP", overlap)
    make_billed(10)
    come_late(1)
    come_late(2, at=LATE + HOUR)
    facts = late_changes.adjustments.list_adjustments()
    late_changes.store_changes(facts[1:], at=NEXT)
    assert late_changes.collect_changes(NEXT + HOUR / 2) == len(facts) - 1
    assert sorted(LateChange.objects.values_list("quantity", flat=True)) == [1, 2]


def test_what_no_price_looks_at_is_on_record_and_billed_to_nobody():
    make_billed(10, prices=(BASE_FEE, per_unit("Traffic", meter_key="bandwidth", unit_amount=Decimal(1))))
    come_late(1)
    late_changes.collect_changes(NEXT)
    assert list(LateChange.objects.values_list("meter__key", "invoice__number")) == [("bandwidth", "2026-000001")]


def test_a_subscription_that_ended_gets_an_invoice_of_its_own():
    subscription, invoice = make_billed(10)
    lifecycle.cancel(subscription.id, at=FEB + HOUR)
    [last] = Subscription.objects.get().periods.filter(closed_at=None)
    invoicing.close_period(last.pk, at=FEB + 2 * HOUR)
    come_late(5)
    settle(invoice)
    assert [leftovers.enqueue_leftovers(NEXT + each * HOUR) for each in range(2)] == [1, 0]
    job = Job.objects.get(kind=leftovers.BILL_LEFTOVERS)
    assert job.run_at == NEXT + DAY
    issued = leftovers.bill_leftovers(subscription.id, at=NEXT + DAY)
    assert (issued.kind, issued.total_minor, issued.state) == ("one_off", 50, "issued")
    assert leftovers.bill_leftovers(subscription.id, at=NEXT + DAY) is None
    assert leftovers.enqueue_leftovers(NEXT + DAY) == 0
    assert_sound()


def test_what_waits_for_a_subscription_that_goes_on_is_left_to_its_next_invoice():
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    assert leftovers.enqueue_leftovers(NEXT + DAY) == 0


# The database's own rules


WRITES = {
    "change a settlement": lambda: LateSettlement.objects.update(amount_minor=1),
    "remove a settlement": lambda: LateSettlement.objects.all().delete(),
    "change a batch": lambda: LateBatch.objects.update(number=9),
    "remove a change": lambda: LateChange.objects.all().delete(),
    "free a change": lambda: LateChange.objects.update(batch=None),
    "change a quantity": lambda: LateChange.objects.update(quantity=9),
    "settle a line twice in a batch": lambda: LateSettlement.objects.bulk_create(
        [clear_key(LateSettlement.objects.get())]
    ),
}


def clear_key(row):
    row.pk, row.item = None, None
    return row


@pytest.mark.parametrize("name", WRITES)
def test_the_ledger_is_only_added_to(name):
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    with pytest.raises(IntegrityError), transaction.atomic():
        WRITES[name]()
    assert_sound()


# Races: real connections, hence no transaction around the test.


@pytest.mark.django_db(transaction=True)
def test_many_jobs_at_once_settle_once():
    _, invoice = make_billed(10)
    come_late(5)
    late_changes.collect_changes(NEXT)
    results = run_together(*[lambda: late_settling.settle_late(invoice.id, at=NEXT)] * 4)
    assert sorted(type(result).__name__ for result in results) == ["LateBatch", "NoneType", "NoneType", "NoneType"]
    assert list_items() == [50]
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_control_without_its_lock_the_database_refuses_the_second_settling(monkeypatch):
    _, invoice = make_billed(10)
    come_late(5)
    late_changes.collect_changes(NEXT)
    both_have_read, read = Barrier(2), late_settling.open_batch

    def read_and_wait(locked, *, at):
        both_have_read.wait(20)
        return read(locked, at=at)

    monkeypatch.setattr(late_settling, "lock_billed", lambda invoice_id: Invoice.objects.get(pk=invoice_id))
    monkeypatch.setattr(late_settling, "open_batch", read_and_wait)
    results = run_together(*[lambda: late_settling.settle_late(invoice.id, at=NEXT)] * 2)
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "LateBatch"]
    assert list_items() == [50]
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_a_settling_and_a_void_at_once_leave_nothing_charged():
    _, invoice = make_billed(10)
    come_late(5)
    late_changes.collect_changes(NEXT)
    run_together(
        lambda: late_settling.settle_late(invoice.id, at=NEXT),
        lambda: moves.void_invoice(invoice.id, reason="a mistake", at=NEXT),
    )
    assert not InvoiceItem.objects.filter(withdrawn_at=None).exists()
    assert Invoice.objects.get(pk=invoice.id).state == "void"
    assert not LateChange.objects.filter(batch=None).exists()
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_two_jobs_for_what_an_ended_subscription_owes_issue_one_invoice():
    subscription, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    results = run_together(*[lambda: leftovers.bill_leftovers(subscription.id, at=NEXT)] * 3)
    assert sorted(type(result).__name__ for result in results) == ["Invoice", "NoneType", "NoneType"]
    assert (Invoice.objects.filter(kind="one_off").count(), InvoiceLine.objects.filter(kind="late").count()) == (1, 1)
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_adjustments_that_are_found_by_two_at_once_are_copied_once():
    make_billed(10)
    come_late(5)
    run_together(*[lambda: late_changes.collect_changes(NEXT)] * 3)
    assert LateChange.objects.count() == 1
