from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import invariants, invoicing, switching
from billing.models import BillingRun, BillingRunEntry, EntryState, Invoice, Period
from billing.rating import flat_fee
from billing.runs import opening
from billing.runs.moves import approve_run, read_seen
from billing.runs.opening import open_run
from billing.runs.work import bill_part, preview_part
from jobs.models import Job
from jobs.queue import JobContext
from tests.billing.makers import FEB, HOUR, JAN, MID_JAN, make_plan, use
from tests.billing.runs.makers import (
    CALLS,
    DUE,
    bill,
    break_profile,
    list_entries,
    list_totals,
    make_customers,
    make_too_large,
    preview,
    work,
)

pytestmark = pytest.mark.django_db


def make_context(run, *, part=None, at=DUE):
    key = part or f"{run.pk}:1"
    return JobContext(id=1, kind="billing.bill_part", key=key, payload={"run": run.pk}, attempt=1, at=at)


def assert_sound():
    assert list(invariants.check()) == []


def test_a_preview_says_what_each_invoice_would_ask_and_writes_none():
    make_customers("acme", "beta")
    use("beta", sizes=[1] * 3, time=MID_JAN)
    run = preview()
    previewed = run.entries.order_by("account__key").values_list("account__key", "previewed_minor", "previewed_at")
    assert list(previewed) == [("acme", 1_050, DUE), ("beta", 1_200, DUE)]
    assert (run.state, Invoice.objects.count()) == ("awaiting", 0)
    assert not Period.objects.filter(closed_at__isnull=False).exists()


def test_a_preview_waits_for_its_last_part(monkeypatch):
    monkeypatch.setattr(opening, "PART", 1)
    make_customers("acme", "beta")
    run = open_run(at=DUE)
    preview_part(make_context(run))
    run.refresh_from_db()
    assert run.state == "previewing"
    preview_part(make_context(run, part=f"{run.pk}:2"))
    run.refresh_from_db()
    assert run.state == "awaiting"


def test_a_second_preview_of_a_part_keeps_what_was_seen():
    make_customers("acme")
    run = preview()
    use("acme", sizes=[1], time=MID_JAN, at=DUE)
    preview_part(make_context(run, at=DUE + HOUR))
    assert list(run.entries.values_list("previewed_minor", "previewed_at")) == [(1_050, DUE)]


def test_what_cannot_be_previewed_says_why_and_stops_no_other():
    make_customers("beta")
    make_too_large("acme")
    run = preview()
    acme, beta = run.entries.order_by("account__key")
    assert (acme.state, acme.previewed_minor) == ("pending", None)
    assert "AmountTooLarge" in acme.error
    assert (beta.previewed_minor, beta.error, run.state) == (1_050, "", "awaiting")


def test_a_part_is_billed_and_the_run_done():
    make_customers("acme", "beta")
    run = bill()
    assert (run.state, run.finished_at) == ("done", DUE)
    assert list_entries() == [("acme", "done", 1_050), ("beta", "done", 1_050)]
    assert list_totals() == [("acme", 1_050), ("beta", 1_050)]
    invoice = Invoice.objects.get(account__key="acme")
    assert (invoice.issued_at, invoice.number) == (DUE, "2026-000001")
    assert BillingRunEntry.objects.get(account__key="acme").invoice == invoice
    assert_sound()


def test_a_part_billed_twice_is_billed_once():
    make_customers("acme", "beta")
    run = bill()
    bill_part(make_context(run, at=DUE + HOUR))
    run.refresh_from_db()
    assert list_totals() == [("acme", 1_050), ("beta", 1_050)]
    assert (run.finished_at, list_entries()) == (DUE, [("acme", "done", 1_050), ("beta", "done", 1_050)])


def test_a_run_is_done_with_its_last_part(monkeypatch):
    monkeypatch.setattr(opening, "PART", 1)
    make_customers("acme", "beta")
    run = open_run(at=DUE, is_approved=True)
    bill_part(make_context(run))
    run.refresh_from_db()
    assert (run.state, run.finished_at) == ("issuing", None)
    bill_part(make_context(run, part=f"{run.pk}:2"))
    run.refresh_from_db()
    assert (run.state, run.finished_at) == ("done", DUE)


def test_an_account_that_fails_is_listed_with_its_reason_and_stops_no_other():
    make_customers("acme", "beta", "gamma")
    break_profile("beta")
    run = bill()
    beta = run.entries.get(account__key="beta")
    assert list_entries() == [("acme", "done", 1_050), ("beta", "failed", None), ("gamma", "done", 1_050)]
    assert "has no billing profile" in beta.error
    assert (beta.attempts, beta.retry_at) == (1, DUE + timedelta(minutes=10))
    assert Period.objects.get(pk=beta.period_id).closed_at is None
    assert (run.state, list(Invoice.objects.filter(account__key="beta"))) == ("done", [])
    assert_sound()


def test_a_free_period_is_done_without_an_invoice():
    make_customers("acme")
    Period.objects.update(is_free=True)
    bill()
    assert list(BillingRunEntry.objects.values_list("state", "invoice", "billed_minor")) == [("done", None, 0)]
    assert Period.objects.get().closed_at == DUE
    assert_sound()


def test_a_period_that_somebody_closed_meanwhile_is_left_out():
    [acme, _beta] = make_customers("acme", "beta")
    run = open_run(at=DUE, is_approved=True)
    invoicing.close_period(acme.period_id, at=DUE)
    work()
    entry = run.entries.get(account__key="acme")
    assert (entry.state, entry.reason, entry.invoice) == ("skipped", "closed", None)
    assert list_totals() == [("acme", 1_050), ("beta", 1_050)]
    assert_sound()


def test_a_period_that_was_cut_meanwhile_is_left_to_the_next_run():
    make_customers("acme")
    make_plan("large", limits=(), prices=[flat_fee("Fee", Decimal(20)), CALLS])
    run = open_run(at=DUE, is_approved=True)
    subscription = run.entries.get().subscription_id
    switching.change_plan(subscription, "large", at=FEB - timedelta(days=10))
    work()
    entry = run.entries.get()
    assert (entry.state, entry.reason, Invoice.objects.count()) == ("skipped", "changed", 0)
    again = bill(at=DUE + HOUR)
    assert [state for _key, state, _minor in list_entries(again)] == ["done", "done"]
    assert Invoice.objects.count() == 2
    assert_sound()


def test_a_period_that_was_taken_back_is_left_out():
    make_customers("acme")
    run = open_run(at=DUE, is_approved=True)
    Period.objects.filter(starts_at=JAN).delete()
    work()
    assert list(run.entries.values_list("state", "reason", "period")) == [("skipped", "changed", None)]


def test_usage_that_came_after_the_preview_is_billed_and_both_figures_are_kept():
    make_customers("acme")
    run = preview()
    use("acme", sizes=[1] * 2, time=MID_JAN, at=DUE)
    approve_run(run.pk, seen=str(read_seen(run)), at=DUE)
    work()
    entry = run.entries.get()
    assert (entry.previewed_minor, entry.billed_minor, entry.invoice.total_minor) == (1_050, 1_150, 1_150)


def count_own_statements(keys):
    """What the run itself asks of the database for a part, beside what closing its periods does."""
    make_customers(*keys)
    run = open_run(at=DUE, is_approved=True)
    with CaptureQueriesContext(connection) as queries:
        bill_part(make_context(run))
    return sum("billing_billingrun" in query["sql"] for query in queries)


@pytest.mark.parametrize("keys", ["a", "abcdef"])
def test_a_part_costs_the_run_five_statements(keys):
    assert count_own_statements(keys) == 5


def count_statements(keys):
    make_customers(*keys)
    run = open_run(at=DUE, is_approved=True)
    with CaptureQueriesContext(connection) as queries:
        bill_part(make_context(run))
    assert set(run.entries.values_list("state", flat=True)) == {"done"}
    return len(queries)


def test_a_part_of_sixty_accounts_takes_no_more_than_a_statement_for_each():
    assert count_statements([f"account-{number}" for number in range(60)]) <= 60


def test_no_job_is_left_behind():
    make_customers("acme")
    bill()
    assert set(Job.objects.filter(kind__startswith="billing.bill").values_list("state", flat=True)) == {"done"}
    assert not BillingRunEntry.objects.filter(state=EntryState.PENDING).exists()
    assert BillingRun.objects.get().entry_count == 1
