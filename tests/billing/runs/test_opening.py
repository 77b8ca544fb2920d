from datetime import timedelta

import pytest
from django.db import IntegrityError

from billing import invoicing, lifecycle
from billing.models import BillingRun, BillingRunEntry, Period, Subscription
from billing.runs import opening
from billing.runs.opening import NothingDue, open_run
from billing.subscriptions import open_next_periods
from jobs.models import Job
from tests.billing.makers import FEB, HOUR, JAN, MAR
from tests.billing.runs.makers import DUE, bill, list_entries, make_customer, make_customers, preview

pytestmark = pytest.mark.django_db

MICROSECOND = timedelta(microseconds=1)


def test_a_period_is_due_when_its_grace_is_over_and_not_a_microsecond_before():
    make_customers("acme")
    with pytest.raises(NothingDue):
        open_run(at=DUE - MICROSECOND)
    assert open_run(at=DUE).entry_count == 1


def test_where_nothing_is_due_there_is_no_run():
    with pytest.raises(NothingDue, match="Nothing is due"):
        open_run(at=DUE)
    assert not BillingRun.objects.exists()


def test_a_run_is_opened_over_all_that_is_due_and_promises_a_preview_for_each_part(monkeypatch):
    monkeypatch.setattr(opening, "PART", 2)
    make_customers("a", "b", "c")
    run = open_run(at=DUE)
    assert (run.state, run.entry_count, run.approved_at) == ("previewing", 3, None)
    assert list(Job.objects.values_list("kind", "key")) == [
        ("billing.preview_part", f"{run.pk}:1"),
        ("billing.preview_part", f"{run.pk}:2"),
    ]


def test_one_that_is_approved_as_it_is_opened_promises_invoices_and_no_preview():
    make_customers("a", "b")
    run = open_run(at=DUE, is_approved=True)
    assert (run.state, run.approved_at, run.approved_count, run.approved_by) == ("issuing", DUE, 2, None)
    assert list(Job.objects.values_list("kind", "key")) == [("billing.bill_part", f"{run.pk}:1")]


def test_what_is_in_a_run_is_not_due_for_another():
    make_customers("acme")
    open_run(at=DUE)
    with pytest.raises(NothingDue):
        open_run(at=DUE + HOUR)


def test_a_period_cannot_be_in_two_runs_that_are_under_way():
    make_customers("acme")
    entry = open_run(at=DUE).entries.get()
    entry.pk, entry.run = None, BillingRun.objects.create(at=DUE)
    with pytest.raises(IntegrityError, match="billing_run_entry_period_in_one_run"):
        entry.save()


def test_periods_that_somebody_closed_are_not_due():
    [acme] = make_customers("acme")
    invoicing.close_period(acme.period_id, at=FEB)
    with pytest.raises(NothingDue):
        open_run(at=DUE)


def test_a_free_period_is_in_the_run_and_no_invoice():
    make_customers("acme")
    Period.objects.update(is_free=True)
    run = open_run(at=DUE, is_approved=True)
    assert (run.entry_count, run.approved_count) == (1, 0)


def test_an_entry_knows_the_invoice_of_the_period_before():
    make_customers("acme")
    first = bill()
    make_customer("beta", started_at=FEB)
    open_next_periods(MAR)
    run = open_run(at=MAR + HOUR)
    last = dict(run.entries.values_list("account__key", "last_invoice"))
    assert last == {"acme": first.entries.get().invoice_id, "beta": None}


@pytest.mark.parametrize("keys", ["a", "abcd"])
def test_opening_costs_the_same_whatever_is_due(django_assert_num_queries, keys):
    make_customers(*keys)
    with django_assert_num_queries(12):
        open_run(at=DUE)


# Who had an invoice and has none now


def end_acme(at):
    make_customers("acme", "beta")
    bill()
    lifecycle.cancel(BillingRunEntry.objects.get(account__key="acme").subscription_id, at=at)


def test_a_customer_who_left_is_gone_from_the_run_after_the_last_bill():
    end_acme(FEB + timedelta(days=10))
    bill(at=FEB + timedelta(days=11))  # ten days of February
    open_next_periods(MAR)
    assert list_entries(bill(at=MAR + HOUR)) == [("beta", "done", 1_000)]
    april = MAR + timedelta(days=31)
    open_next_periods(april)
    run = preview(at=april + HOUR)
    assert list_entries(run) == [("acme", "gone", None), ("beta", "pending", None)]
    gone = run.entries.get(state="gone")
    assert (gone.starts_at, gone.ends_at, gone.period) == (MAR, april, None)
    assert gone.last_invoice.period_end == FEB + timedelta(days=10)
    assert run.entry_count == 1


def test_who_left_is_gone_once():
    end_acme(FEB)
    open_next_periods(MAR)
    assert list_entries(bill(at=MAR + HOUR)) == [("acme", "gone", None), ("beta", "done", 1_000)]
    april = MAR + timedelta(days=31)
    open_next_periods(april)
    assert list_entries(bill(at=april + HOUR)) == [("beta", "done", 1_000)]


def test_who_left_before_there_was_an_invoice_is_not_gone():
    make_customers("acme", "beta")
    make_customer("gamma", calls=0)
    lifecycle.cancel(Subscription.objects.get(account__key="gamma").pk, at=JAN + HOUR)
    Period.objects.filter(subscription__account__key="gamma").update(is_free=True)
    bill()
    open_next_periods(MAR)
    assert {key for key, *_rest in list_entries(bill(at=MAR + HOUR))} == {"acme", "beta"}


def test_who_pauses_is_gone_as_well():
    make_customers("acme", "beta")
    bill()
    lifecycle.pause(BillingRunEntry.objects.get(account__key="acme").subscription_id, at=FEB)
    open_next_periods(MAR)
    assert ("acme", "gone", None) in list_entries(preview(at=MAR + HOUR))
