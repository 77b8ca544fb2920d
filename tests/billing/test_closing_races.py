"""Chunks of periods against one another, against who changes what they bill, and what goes wrong within them."""

import os
import signal
import threading
import time
from decimal import Decimal

import pytest
from django.db import connection, transaction

from billing import closing, invariants, issuing, plans, switching
from billing.models import CreditGrant, Invoice, InvoiceSeries, Period, Plan
from billing.numbers import take_number
from billing.parts import PeriodFinal
from billing.period_facts import load_periods
from billing.rating import flat_fee, per_unit
from billing.subscriptions import open_next_periods
from metering.models import Limit
from tests.billing.credits.makers import give
from tests.billing.makers import FEB, HOUR, JAN, MAR, make_plan, use
from tests.billing.runs.makers import DUE, break_profile, make_customer, make_customers
from tests.billing.threads import run_together
from tests.jobs.engine import CONTEXT, build_environment, environment

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = [f"c{number}" for number in range(8)]


def close(ids, **options):
    return closing.close_periods(ids, at=DUE, **options)


def list_numbers():
    return list(Invoice.objects.exclude(state="draft").order_by("sequence").values_list("number", flat=True))


def number_to(count):
    return [f"2026-{number:06d}" for number in range(1, count + 1)]


def assert_sound():
    assert list(invariants.check()) == []


def test_chunks_that_overlap_bill_each_period_once():
    ids = [each.period_id for each in make_customers(*KEYS)]
    ways = [ids[:6], ids[:1:-1], ids[3:] + ids[:3]]
    results = run_together(*[lambda way=way: close(way) for way in ways])
    billed = {(each.period_id, each.number) for result in results for each in result}
    assert len(billed) == len(ids)
    assert {each.error for result in results for each in result} == {None}
    assert list_numbers() == number_to(len(ids))
    assert_sound()


@transaction.atomic
def close_together(ids):
    return closing.close_together(ids, at=DUE)


def test_control_without_their_lock_two_chunks_collide_and_the_database_stops_one(monkeypatch):
    ids = [each.period_id for each in make_customers(*KEYS[:3])]
    both_have_read = threading.Barrier(2)

    def read_only(period_ids, *, skip_locked):
        periods = load_periods(period_ids)
        both_have_read.wait(timeout=20)
        return periods

    monkeypatch.setattr(closing, "lock_periods", read_only)
    results = run_together(lambda: close_together(ids), lambda: close_together(ids))
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "dict"]
    assert list_numbers() == number_to(3)
    assert_sound()


def test_who_does_not_want_to_wait_leaves_out_what_others_hold():
    ids = [each.period_id for each in make_customers(*KEYS[:3])]
    with transaction.atomic():
        Period.objects.select_for_update().get(pk=ids[1])
        [result] = run_together(lambda: close(ids, skip_locked=True))
    assert [each.error for each in result] == [None, f"PeriodBusy: Somebody else holds period {ids[1]}.", None]
    assert [each.error for each in close(ids, skip_locked=True)] == [None] * 3
    assert list_numbers() == number_to(3)
    assert_sound()


def test_one_that_cannot_be_composed_is_left_as_it_was_and_the_others_are_a_chunk():
    ids = [each.period_id for each in make_customers(*KEYS[:3])]
    mend = break_profile("c1")
    closed = close(ids)
    assert [each.error is None for each in closed] == [True, False, True]
    assert closed[1].error.startswith("UnknownProfile: ")
    assert list(Period.objects.filter(closed_at=None).values_list("pk", flat=True)) == [ids[1]]
    assert Limit.objects.filter(closed_at=None).values_list("account__key").distinct().get() == ("c1",)
    mend()
    assert [each.number for each in close(ids)] == ["2026-000001", "2026-000003", "2026-000002"]
    assert_sound()


def bill_by_hand(period_id):
    """An invoice of an open period that did not come by closing it: none may come beside it."""
    period = Period.objects.select_related("subscription").get(pk=period_id)
    invoice = Invoice.objects.create(
        account_id=period.subscription.account_id, subscription=period.subscription, period=period, currency="EUR",
        period_start=period.starts_at, period_end=period.ends_at, customer_name="By hand", time_zone="UTC",
    )  # fmt: skip
    issuing.issue_invoice(invoice, at=DUE)


def test_one_that_the_database_refuses_fails_alone_with_all_that_belongs_to_it():
    customers = make_customers(*KEYS[:4])
    ids = [each.period_id for each in customers]
    give(500, account_id=customers[2].account_id, at=JAN)
    with transaction.atomic():
        bill_by_hand(ids[2])
    closed = close(ids)
    assert [each.error is None for each in closed] == [True, True, False, True]
    assert "invoice_one_per_period" in closed[2].error
    assert (Period.objects.get(pk=ids[2]).closed_at, CreditGrant.objects.get().balance_minor) == (None, 500)
    assert Limit.objects.filter(closed_at=None).values_list("account__key").distinct().get() == ("c2",)
    assert list_numbers() == number_to(4)


def test_a_chunk_is_drafted_around_one_that_fails_and_again_in_the_same_drafts():
    ids = [each.period_id for each in make_customers(*KEYS[:3])]
    mend = break_profile("c0")
    drafted = closing.draft_periods([*ids, 404], at=FEB)
    assert [each.invoice_id is not None for each in drafted] == [False, True, True, False]
    assert [each.error.split(":")[0] for each in drafted if each.error] == ["UnknownProfile", "UnknownPeriod"]
    mend()
    again = closing.draft_periods(ids, at=FEB)
    assert [each.invoice_id for each in again[1:]] == [each.invoice_id for each in drafted[1:3]]
    assert {each.invoice_id for each in close(ids)} == {each.invoice_id for each in again}
    assert [each.invoice_id for each in closing.draft_periods(ids, at=MAR)] == [None] * 3
    assert list_numbers() == number_to(3)
    assert_sound()


def test_an_upgrade_while_its_chunk_is_closed_is_in_the_bill_or_refused():
    ids = [each.period_id for each in make_customers(*KEYS[:4])]
    subscription_id = Period.objects.get(pk=ids[1]).subscription_id
    make_plan("large", rank=9, prices=[flat_fee("Fee", Decimal(310))], limits=())
    changed, closed = run_together(
        lambda: switching.change_plan(subscription_id, "large", at=FEB - HOUR), lambda: close(ids)
    )
    assert [each.error for each in closed] == [None] * 4
    was_billed_first = isinstance(changed, PeriodFinal)
    assert was_billed_first or changed is None
    assert [each.total_minor for each in closed] == [1_050, 1_050 if was_billed_first else 1_050 - 1, 1_050, 1_050]
    assert list_numbers() == number_to(4)
    assert_sound()


def test_a_version_published_while_a_chunk_is_closed_bills_nobody_who_is_on_the_one_before(monkeypatch):
    ids = [each.period_id for each in make_customers(*KEYS[:3])]
    is_locked, is_published = threading.Event(), threading.Event()
    read = closing.read_facts

    def read_once_published(periods, *, is_locked_too=is_locked, **options):
        is_locked_too.set()
        assert is_published.wait(timeout=20)
        return read(periods, **options)

    def publish():
        is_locked.wait(timeout=20)
        dear = [flat_fee("Fee", Decimal(99)), per_unit("Calls", meter_key="requests", unit_amount=Decimal(9))]
        version_id = plans.add_version(plan_id=Plan.objects.get(slug="small").pk, currency="EUR", prices=dear)
        plans.publish_version(version_id, at=FEB)
        is_published.set()

    monkeypatch.setattr(closing, "read_facts", read_once_published)
    closed, published = run_together(lambda: close(ids), publish)
    assert published is None
    assert [each.total_minor for each in closed] == [1_050] * 3
    # The control: what is on offer now, which a bill by the plan's slug would have gone by.
    assert [price.unit_amount for price in plans.find_plan("small", at=DUE).prices] == [99, 9]
    assert_sound()


def close_in_a_process(ids):
    closing.close_periods(ids, at=DUE)


def is_somebody_waiting():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


def test_a_process_killed_in_the_midst_of_a_chunk_leaves_nothing_and_the_next_one_does_it_all():
    """It has written all but the numbers, for which it waits, when it is killed."""
    customers = make_customers(*KEYS[:5])
    first, *ids = [each.period_id for each in customers]
    for customer in customers:
        give(500, account_id=customer.account_id, at=JAN)
    close([first])
    child = CONTEXT.Process(target=close_in_a_process, args=(ids,))
    with transaction.atomic():
        InvoiceSeries.objects.select_for_update().get()
        with environment(build_environment()):
            child.start()
        deadline = time.monotonic() + 60
        while not is_somebody_waiting():
            assert child.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(child.pid, signal.SIGKILL)
        child.join(timeout=20)
    assert child.exitcode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while Period.objects.select_for_update(skip_locked=True).filter(pk__in=ids).count() < len(ids):
        assert time.monotonic() < deadline  # its backend finds out when it has the numbers, and rolls back
        time.sleep(0.05)
    assert (Invoice.objects.count(), Period.objects.filter(closed_at=None).count()) == (1, 4)
    assert sorted(CreditGrant.objects.values_list("balance_minor", flat=True)) == [0, 500, 500, 500, 500]
    assert [each.number for each in close(ids)] == number_to(5)[1:]
    assert list_numbers() == number_to(5)
    assert_sound()


def test_control_whoever_numbers_before_a_kill_and_outside_the_transaction_leaves_a_gap():
    """What the kill would leave if numbers were not taken in the chunk's own transaction."""
    [first, second] = [each.period_id for each in make_customers(*KEYS[:2])]
    close([first])
    take_number(DUE)  # committed on its own, and then nothing came of it
    close([second])
    assert list_numbers() == ["2026-000001", "2026-000003"]
    assert {violation.rule for violation in invariants.check()} != set()


def test_periods_of_one_subscription_in_a_chunk_are_billed_in_their_order_whatever_was_asked():
    [customer] = make_customers("c0")
    make_customer("c1", calls=0)
    use("c0", sizes=[1] * 3, time=FEB + HOUR)
    open_next_periods(FEB + HOUR)
    give(1_000, account_id=customer.account_id, at=JAN)
    periods = Period.objects.filter(subscription=customer.id).order_by("starts_at")
    january, february = periods.values_list("pk", flat=True)
    late, early = closing.close_periods([february, january], at=MAR + HOUR)
    assert (early.number, late.number) == ("2026-000001", "2026-000002")
    credited = dict(Invoice.objects.values_list("number", "credited_minor"))
    assert credited == {"2026-000001": 1_000, "2026-000002": 0}
    assert_sound()
