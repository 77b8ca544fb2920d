"""Runs against one another, against those who change what is billed, and against what people do with them."""

import threading
from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import connection, transaction

from billing import invariants, invoicing, plans, switching
from billing.models import BillingRun, BillingRunEntry, Invoice, Period, Plan, Price
from billing.parts import PeriodFinal
from billing.rating import flat_fee, per_unit
from billing.runs import opening
from billing.runs import work as works
from billing.runs.moves import RunRefused, approve_run, cancel_run, keep_going, read_seen, retry_entries
from billing.runs.opening import NothingDue, open_run
from jobs.models import Job
from jobs.queue import JobContext
from tests.billing.makers import FEB, HOUR, MID_JAN, make_plan, use
from tests.billing.runs.makers import (
    DUE,
    FEE,
    bill,
    break_profile,
    list_entries,
    list_totals,
    make_customer,
    make_customers,
    preview,
    work,
)
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = ["a", "b", "c", "d", "e"]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(opening, "PART", 2)


def assert_sound():
    assert list(invariants.check()) == []


def do_part(run, number=1, *, of=works.bill_part):
    """As a worker does it: in one transaction."""
    with transaction.atomic():
        of(JobContext(id=1, kind="", key=f"{run.pk}:{number}", payload={"run": run.pk}, attempt=1, at=DUE))


def wait_before_adding(monkeypatch, count):
    """Each has read what is due before any of them takes it."""
    have_read, list_due = threading.Barrier(count), opening.list_due

    def read_and_wait(at):
        due = list(list_due(at))
        have_read.wait(timeout=20)
        return iter(due)

    monkeypatch.setattr(opening, "list_due", read_and_wait)


# Two runs at once


def test_of_runs_opened_at_once_each_period_is_in_one(monkeypatch):
    make_customers(*KEYS)
    wait_before_adding(monkeypatch, 4)
    opened = run_together(*[lambda: open_run(at=DUE, is_approved=True)] * 4)
    assert sorted(type(each).__name__ for each in opened) == ["BillingRun", "NothingDue", "NothingDue", "NothingDue"]
    work()
    assert list_entries() == [(key, "done", 1_050) for key in KEYS]
    assert list_totals() == [(key, 1_050) for key in KEYS]
    assert_sound()


@contextmanager
def without_constraint(name):
    [constraint] = [each for each in BillingRunEntry._meta.constraints if each.name == name]
    with connection.schema_editor() as editor:
        editor.remove_constraint(BillingRunEntry, constraint)
    try:
        yield
    finally:
        BillingRunEntry.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(BillingRunEntry, constraint)


def test_control_without_the_constraint_a_period_is_in_two_runs(monkeypatch):
    make_customers(*KEYS)
    wait_before_adding(monkeypatch, 2)
    with without_constraint("billing_run_entry_period_in_one_run"):
        first, second = run_together(*[lambda: open_run(at=DUE, is_approved=True)] * 2)
        assert (first.entry_count, second.entry_count) == (5, 5)
        work()
        assert len(list_entries()) == 10
    assert Invoice.objects.count() == 5  # the invoice has a constraint of its own


def test_four_clocks_come_to_one_run():
    make_customers(*KEYS)
    assert run_together(*[lambda: keep_going(DUE)] * 4) == [None] * 4
    work()
    assert list(BillingRun.objects.values_list("state", "entry_count")) == [("done", 5)]
    assert_sound()


def test_what_is_closed_by_hand_while_a_run_takes_it_has_one_invoice():
    customers = make_customers(*KEYS)
    close = [lambda each=each: invoicing.close_period(each.period_id, at=DUE) for each in customers[:3]]
    run_together(lambda: open_run(at=DUE, is_approved=True), *close)
    run_together(work, work)
    assert list_totals() == [(key, 1_050) for key in KEYS]
    assert_sound()


# Two workers on one part


def test_two_workers_on_one_part_bill_it_once():
    make_customers("a", "b")
    run = open_run(at=DUE, is_approved=True)
    assert run_together(*[lambda: do_part(run)] * 4) == [None] * 4
    assert list_entries() == [("a", "done", 1_050), ("b", "done", 1_050)]
    assert list_totals() == [("a", 1_050), ("b", 1_050)]
    assert_sound()


def test_control_without_its_lock_the_second_worker_takes_what_is_billed_for_left_out(monkeypatch):
    make_customers("a", "b")
    run = open_run(at=DUE, is_approved=True)
    both_have_read = threading.Barrier(2)

    def read_part(part):
        entries = list(BillingRunEntry.objects.filter(part=part, state="pending").order_by("pk"))
        both_have_read.wait(timeout=20)
        return entries

    monkeypatch.setattr(works, "lock_part", read_part)
    run_together(*[lambda: do_part(run)] * 2)
    assert list_entries() == [("a", "skipped", None), ("b", "skipped", None)]
    assert list_totals() == [("a", 1_050), ("b", 1_050)]


def test_the_last_two_parts_at_once_end_the_run():
    make_customers("a", "b", "c", "d")
    run = open_run(at=DUE)
    parts = [lambda number=number: do_part(run, number, of=works.preview_part) for number in (1, 2)]
    assert run_together(*parts) == [None, None]
    run.refresh_from_db()
    assert run.state == "awaiting"


def test_control_without_the_lock_of_the_run_neither_of_the_last_two_parts_ends_it(monkeypatch):
    make_customers("a", "b", "c", "d")
    run = open_run(at=DUE)
    both_are_here, settle = threading.Barrier(2), works.settle_run

    def read_run(run_id):
        both_are_here.wait(timeout=20)  # both are done with their part, and neither has committed
        return BillingRun.objects.get(pk=run_id)

    def settle_and_wait(run_id, *, at):
        settle(run_id, at=at)
        both_are_here.wait(timeout=20)

    monkeypatch.setattr(works, "lock_run", read_run)
    monkeypatch.setattr(works, "settle_run", settle_and_wait)
    parts = [lambda number=number: do_part(run, number, of=works.preview_part) for number in (1, 2)]
    assert run_together(*parts) == [None, None]
    run.refresh_from_db()
    assert (run.state, run.entries.filter(previewed_at=None).count()) == ("previewing", 0)


# What is billed changes meanwhile


def make_two_plans():
    make_customers("a", "b", "c")
    make_plan(
        "large", prices=[flat_fee("Fee", Decimal(30)), per_unit("R", meter_key="requests", unit_amount=Decimal(1))]
    )


def test_an_upgrade_while_the_run_closes_is_billed_or_refused():
    make_two_plans()
    run = open_run(at=DUE, is_approved=True)
    chosen = run.entries.get(account__key="a").subscription_id
    upgraded, *_done = run_together(
        lambda: switching.change_plan(chosen, "large", at=FEB - HOUR), *[lambda: work()] * 2
    )
    assert upgraded is None or isinstance(upgraded, PeriodFinal)
    bill_rest()
    # Of 744 hours the last is given back of 10.00 and asked of 30.00.
    mine = [1_049, 4] if upgraded is None else [1_050]
    assert [total for key, total in list_totals() if key == "a"] == sorted(mine)
    assert [total for key, total in list_totals() if key != "a"] == [1_050, 1_050]
    assert not Period.objects.filter(closed_at=None, ends_at__lte=FEB).exists()
    assert_sound()


def bill_rest():
    try:
        bill(at=DUE + HOUR)
    except NothingDue:
        return


def race_upgrade_with_close(monkeypatch):
    """The upgrade comes between the look at the period and its closing."""
    make_two_plans()
    run = open_run(at=DUE, is_approved=True)
    entry = run.entries.get(account__key="a")
    has_looked, is_upgraded = threading.Event(), threading.Event()
    close = works.close_periods

    def close_later(*args, **options):
        has_looked.set()
        is_upgraded.wait(timeout=3)
        return close(*args, **options)

    def upgrade():
        has_looked.wait(timeout=20)
        try:
            return switching.change_plan(entry.subscription_id, "large", at=FEB - HOUR)
        finally:
            is_upgraded.set()

    monkeypatch.setattr(works, "close_periods", close_later)
    _done, upgraded = run_together(lambda: do_part(run), upgrade)
    entry.refresh_from_db()
    return entry, upgraded


def test_an_upgrade_that_comes_after_the_look_waits_and_is_refused(monkeypatch):
    entry, upgraded = race_upgrade_with_close(monkeypatch)
    assert isinstance(upgraded, PeriodFinal)
    assert (entry.state, entry.invoice.period_end) == ("done", FEB)


def test_control_without_the_lock_of_the_period_something_else_is_billed_than_was_approved(monkeypatch):
    def read_periods(entries):
        return list(Period.objects.filter(pk__in=[entry.period_id for entry in entries]))

    monkeypatch.setattr(works, "lock_periods", read_periods)
    entry, upgraded = race_upgrade_with_close(monkeypatch)
    assert upgraded is None
    assert (entry.state, entry.ends_at, entry.invoice.period_end) == ("done", FEB, FEB - HOUR)


def publish_dearer():
    """A second version of `small`, on offer from now on."""
    dearer = [flat_fee("Fee", Decimal(99)), per_unit("Calls", meter_key="requests", unit_amount=Decimal(9))]
    plan_id = Plan.objects.get(slug="small").pk
    plans.publish_version(plans.add_version(plan_id=plan_id, currency="EUR", prices=dearer), at=DUE)


def test_a_version_published_in_mid_run_prices_nothing_of_it():
    make_customers(*KEYS)
    run = open_run(at=DUE, is_approved=True)
    results = run_together(publish_dearer, lambda: do_part(run, 1), lambda: do_part(run, 2), lambda: do_part(run, 3))
    assert results == [None] * 4
    assert list_totals() == [(key, 1_050) for key in KEYS]
    assert plans.find_plan("small").version_number == 2
    assert_sound()


def test_control_a_price_that_changes_in_mid_run_past_its_trigger_is_told(monkeypatch):
    make_customers("a", "b", "c")
    run = open_run(at=DUE, is_approved=True)
    do_part(run, 1)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        Price.objects.filter(description=FEE.description).update(unit_amount=Decimal(99))
    do_part(run, 2)
    assert [total for _key, total in list_totals()] == [1_050, 1_050, 9_950]
    assert {violation.rule for violation in invariants.check()} == {"a line is what its plan version asks"}


# What people do


def test_four_approvals_at_once_are_one():
    make_customers(*KEYS)
    run = preview()
    seen = str(read_seen(run))
    assert run_together(*[lambda: approve_run(run.pk, seen=seen, at=DUE)] * 4) == [None] * 4
    assert Job.objects.filter(kind="billing.bill_part").count() == 3


def test_four_retries_at_once_are_one():
    make_customers("a", "b")
    mend = break_profile("a")
    run = bill()
    mend()
    assert sorted(run_together(*[lambda: retry_entries(run.pk, at=DUE)] * 4)) == [0, 0, 0, 1]
    run_together(work, work)
    assert list_totals() == [("a", 1_050), ("b", 1_050)]
    assert_sound()


def test_a_run_that_is_cancelled_while_it_is_billed_has_billed_a_part_or_left_it_out():
    make_customers(*KEYS)
    run = open_run(at=DUE, is_approved=True)
    parts = [lambda number=number: do_part(run, number) for number in (1, 2, 3)]
    cancelled, *done = run_together(lambda: cancel_run(run.pk, at=DUE), *parts)
    assert done == [None] * 3
    assert cancelled is None or isinstance(cancelled, RunRefused)
    run.refresh_from_db()
    assert run.state == ("done" if cancelled else "cancelled")
    states = {key: state for key, state, _minor in list_entries(run)}
    assert states["a"] == states["b"]
    assert states["c"] == states["d"]
    assert set(states.values()) <= {"done", "skipped"}
    assert [key for key, _total in list_totals()] == [key for key, state in states.items() if state == "done"]
    bill_rest()
    assert list_totals() == [(key, 1_050) for key in KEYS]
    assert_sound()


def test_usage_that_comes_while_the_run_bills_is_on_the_invoice_or_late():
    make_customers("a", "b")
    run = open_run(at=DUE, is_approved=True)
    results = run_together(*[lambda: use("a", sizes=[1] * 5, time=MID_JAN, at=DUE)] * 3, lambda: do_part(run))
    fates = [fate.value for part in results[:3] for fate in part]
    total = dict(list_totals())["a"]
    assert total == 1_050 + 50 * fates.count("accepted")
    assert fates.count("accepted") + fates.count("late") == 15
    assert_sound()


def test_somebody_joins_while_a_run_is_opened():
    make_customers("a", "b", "c")
    run_together(lambda: open_run(at=DUE, is_approved=True), lambda: make_customer("d"), lambda: make_customer("e"))
    work()
    bill_rest()
    assert list_totals() == [(key, 1_050) for key in KEYS]
    assert_sound()
