from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model

from billing import invariants
from billing.models import BillingRun, Invoice
from billing.runs import moves, opening
from billing.runs.moves import (
    OtherThanSeen,
    RunRefused,
    UnknownRun,
    approve_run,
    cancel_run,
    keep_going,
    read_seen,
    retry_entries,
)
from billing.runs.opening import open_run
from jobs.models import Job
from jobs.queue import do_now
from tests.billing.makers import HOUR, MID_JAN, use
from tests.billing.runs.makers import (
    DUE,
    bill,
    break_profile,
    list_entries,
    list_totals,
    make_customer,
    make_customers,
    make_too_large,
    preview,
    work,
)

pytestmark = pytest.mark.django_db

TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture
def finance():
    return get_user_model().objects.create(email="finance@vendor.example", is_active=True)


def assert_sound():
    assert list(invariants.check()) == []


# Approval


def test_what_was_seen_is_approved_and_billed(finance):
    make_customers("acme", "beta")
    run = preview(by=finance.pk)
    approve_run(run.pk, seen=str(read_seen(run)), at=DUE + HOUR, by=finance.pk)
    work(at=DUE + HOUR)
    run.refresh_from_db()
    assert (run.state, run.opened_by, run.approved_by, run.approved_at) == ("done", finance, finance, DUE + HOUR)
    assert (run.approved_count, run.approved_totals) == (2, {"EUR": 2_100})
    assert list_totals() == [("acme", 1_050), ("beta", 1_050)]
    assert_sound()


def test_what_is_seen_counts_what_could_not_be_previewed():
    make_customers("beta")
    make_too_large("acme")
    seen = read_seen(preview())
    assert (seen.count, seen.unknown, seen.totals) == (2, 1, {"EUR": 1_050})


def test_what_is_other_than_seen_is_not_approved():
    make_customers("acme")
    run = preview()
    with pytest.raises(OtherThanSeen, match="look again"):
        approve_run(run.pk, seen="1; 0; EUR 1049", at=DUE)
    run.refresh_from_db()
    assert (run.state, Job.objects.filter(kind="billing.bill_part").count()) == ("awaiting", 0)


def test_a_second_approval_changes_nothing(finance):
    make_customers("acme")
    run = preview()
    seen = str(read_seen(run))
    approve_run(run.pk, seen=seen, at=DUE, by=finance.pk)
    approve_run(run.pk, seen=seen, at=DUE + HOUR)
    run.refresh_from_db()
    assert (run.approved_at, run.approved_by) == (DUE, finance)


def test_what_is_still_previewed_cannot_be_approved():
    make_customers("acme")
    run = open_run(at=DUE)
    with pytest.raises(RunRefused):
        approve_run(run.pk, seen=str(read_seen(run)), at=DUE)


@pytest.mark.parametrize("move", [cancel_run, retry_entries, lambda pk, at: approve_run(pk, seen="", at=at)])
def test_a_run_that_is_not_there_is_told(move):
    with pytest.raises(UnknownRun):
        move(404, at=DUE)


# Cancelling


def test_a_cancelled_run_bills_nothing_and_its_periods_are_due_again(finance):
    make_customers("acme")
    run = preview()
    cancel_run(run.pk, at=DUE + HOUR, by=finance.pk)
    cancel_run(run.pk, at=DUE + 2 * HOUR)
    run.refresh_from_db()
    assert (run.state, run.finished_at, run.cancelled_by) == ("cancelled", DUE + HOUR, finance)
    assert list(run.entries.values_list("state", "reason")) == [("skipped", "cancelled")]
    with pytest.raises(RunRefused):
        approve_run(run.pk, seen=str(read_seen(run)), at=DUE)
    assert list_entries(bill(at=DUE + HOUR)) == [("acme", "done", 1_050)]


def test_one_that_is_cancelled_while_it_issues_keeps_what_is_issued(monkeypatch):
    monkeypatch.setattr(opening, "PART", 1)
    make_customers("acme", "beta")
    run = open_run(at=DUE, is_approved=True)
    assert do_now("billing.bill_part", f"{run.pk}:1", clock=lambda: DUE) == "done"
    cancel_run(run.pk, at=DUE)
    work()
    run.refresh_from_db()
    assert (run.state, list_entries(run)) == ("cancelled", [("acme", "done", 1_050), ("beta", "skipped", None)])
    assert_sound()


def test_a_run_that_is_done_cannot_be_cancelled():
    make_customers("acme")
    run = bill()
    with pytest.raises(RunRefused):
        cancel_run(run.pk, at=DUE)


# Trying again


def test_what_failed_is_tried_again_and_nothing_else_is_touched():
    make_customers("acme", "beta")
    mend = break_profile("acme")
    run = bill()
    beta = run.entries.get(account__key="beta")
    mend()
    assert retry_entries(run.pk, at=DUE + HOUR) == 1
    run.refresh_from_db()
    assert (run.state, run.finished_at) == ("issuing", None)
    assert retry_entries(run.pk, at=DUE + HOUR) == 0
    work(at=DUE + HOUR)
    run.refresh_from_db()
    acme = run.entries.get(account__key="acme")
    assert (run.state, acme.state, acme.billed_minor, acme.error) == ("done", "done", 1_050, "")
    assert acme.part == f"{run.pk}:retry 1:account {acme.account_id}"
    assert run.entries.get(account__key="beta").__dict__ | {"_state": None} == beta.__dict__ | {"_state": None}
    assert_sound()


def test_one_that_fails_again_says_so_and_waits_longer():
    make_customers("acme")
    break_profile("acme")
    run = bill()
    waits = [run.entries.get().retry_at - DUE]
    for attempt in range(2, 6):
        retry_entries(run.pk, at=DUE)
        work()
        entry = run.entries.get()
        assert (entry.state, entry.attempts) == ("failed", attempt)
        waits.append(entry.retry_at and entry.retry_at - DUE)
    assert waits == [TEN_MINUTES, 4 * TEN_MINUTES, 16 * TEN_MINUTES, 64 * TEN_MINUTES, None]


def test_only_the_chosen_entries_are_tried_again():
    make_customers("acme", "beta")
    mends = [break_profile(key) for key in ("acme", "beta")]
    run = bill()
    for mend in mends:
        mend()
    assert retry_entries(run.pk, entry_ids=[run.entries.get(account__key="beta").pk], at=DUE) == 1
    work()
    assert list_entries(run) == [("acme", "failed", None), ("beta", "done", 1_050)]


def test_a_period_that_failed_stays_with_its_run_and_makes_no_other():
    make_customers("acme")
    break_profile("acme")
    bill()
    keep_going(DUE + timedelta(minutes=5))
    assert BillingRun.objects.count() == 1


# The clock


def test_beat_opens_a_run_that_is_approved_by_itself():
    make_customers("acme")
    keep_going(DUE)
    keep_going(DUE)
    work()
    run = BillingRun.objects.get()
    assert (run.is_automatic, run.opened_by, run.state) == (True, None, "done")
    assert list_totals() == [("acme", 1_050)]


def test_with_the_switch_it_waits_for_a_person_and_no_other_is_opened(settings):
    settings.BILLING_RUN_NEEDS_APPROVAL = True
    make_customers("acme")
    keep_going(DUE)
    work()
    make_customer("late")
    keep_going(DUE + 2 * HOUR)
    run = BillingRun.objects.get()
    assert (run.state, Invoice.objects.count()) == ("awaiting", 0)
    approve_run(run.pk, seen=str(read_seen(run)), at=DUE + 2 * HOUR)
    keep_going(DUE + 2 * HOUR)
    work(at=DUE + 2 * HOUR)
    assert list(BillingRun.objects.order_by("pk").values_list("state", flat=True)) == ["done", "awaiting"]


def test_what_failed_is_tried_again_by_the_clock_when_its_pause_is_over():
    make_customers("acme")
    mend = break_profile("acme")
    bill()
    mend()
    keep_going(DUE + TEN_MINUTES - timedelta(microseconds=1))
    work(at=DUE + TEN_MINUTES)
    assert list_entries() == [("acme", "failed", None)]
    keep_going(DUE + TEN_MINUTES)
    work(at=DUE + TEN_MINUTES)
    assert list_entries() == [("acme", "done", 1_050)]


def bury(kind):
    Job.objects.filter(kind=kind).update(
        state="dead", attempts=10, error="Traceback\nKilled: no attempt left", started_at=DUE, finished_at=DUE
    )


def test_a_part_whose_job_is_dead_is_listed_as_failed_and_can_be_tried_again():
    make_customers("acme")
    run = open_run(at=DUE, is_approved=True)
    bury("billing.bill_part")
    keep_going(DUE + HOUR)
    keep_going(DUE + HOUR)
    entry = run.entries.get()
    run.refresh_from_db()
    assert (run.state, entry.state, entry.error, entry.attempts) == ("done", "failed", "Killed: no attempt left", 1)
    retry_entries(run.pk, at=DUE + HOUR)
    work(at=DUE + HOUR)
    assert list_entries() == [("acme", "done", 1_050)]


def test_a_preview_whose_job_is_dead_is_over_and_says_so():
    make_customers("acme")
    run = open_run(at=DUE)
    bury("billing.preview_part")
    keep_going(DUE + HOUR)
    entry = run.entries.get()
    run.refresh_from_db()
    assert (run.state, entry.state, entry.previewed_minor) == ("awaiting", "pending", None)
    assert entry.error == "Killed: no attempt left"


def test_a_job_that_lives_is_left_to_its_worker():
    make_customers("acme")
    run = open_run(at=DUE, is_approved=True)
    moves.note_dead_parts(at=DUE)
    assert run.entries.get().state == "pending"
    use("acme", sizes=[1], time=MID_JAN, at=DUE)
    work()
    assert list_entries() == [("acme", "done", 1_100)]
