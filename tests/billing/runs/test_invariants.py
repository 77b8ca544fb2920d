import pytest
from django.db import connection

from billing import invariants
from billing.models import BillingRun, BillingRunEntry, Invoice, Period
from billing.runs.opening import open_run
from tests.billing.runs.makers import DUE, bill, make_customer, make_customers

pytestmark = pytest.mark.django_db


def find_broken():
    return sorted({violation.rule for violation in invariants.check()})


def write_past_triggers(queryset, **values):
    """As somebody who forgot every rule."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        queryset.update(**values)
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_a_sound_run_breaks_nothing():
    make_customers("acme", "beta")
    bill()
    make_customer("gamma")
    open_run(at=DUE)
    assert find_broken() == []


def test_what_a_run_billed_is_closed():
    make_customers("acme")
    bill()
    write_past_triggers(Period.objects.all(), closed_at=None)
    assert "what a run billed is closed" in find_broken()


def test_what_a_run_billed_is_what_its_invoice_asks_and_so_are_its_sums():
    make_customers("acme")
    bill()
    BillingRunEntry.objects.update(billed_minor=1)
    assert find_broken() == ["a run is the sum of its invoices", "what a run billed is on its invoice"]


def test_an_invoice_is_of_one_run():
    make_customers("acme", "beta")
    bill()
    BillingRunEntry.objects.update(invoice=Invoice.objects.earliest("pk"))
    assert "an invoice is of one run" in find_broken()


def test_a_run_that_has_ended_bills_no_more():
    make_customers("acme")
    open_run(at=DUE, is_approved=True)
    BillingRun.objects.update(state="done", finished_at=DUE)
    assert find_broken() == ["a run that has ended bills no more"]


def test_a_run_ends_with_its_last_part():
    make_customers("acme")
    bill()
    BillingRun.objects.update(state="issuing", finished_at=None)
    assert find_broken() == ["a run ends with its last part"]
