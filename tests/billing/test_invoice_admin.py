import pytest
import time_machine
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.urls import reverse

from billing import drafting, invoicing, moves
from billing.models import CreditGrant, CreditNote, Invoice, InvoiceMove, Payment
from tests.billing.makers import FEB, HOUR, MAR, make_plan, make_subscription
from tests.billing.test_admin import make_person, show
from tests.billing.test_items import add

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(MAR, tick=False):
        yield


@pytest.fixture
def finance(client):
    names = ["view_invoice", "view_invoiceline", "issue_invoice", "void_invoice", "settle_invoice", "credit_invoice"]
    client.force_login(make_person("finance@vendor.example", permissions=names))
    return client


def make_invoice(key="acme"):
    return invoicing.close_period(make_subscription(key).period_id, at=FEB + HOUR)


def act(client, action, *ids, **fields):
    data = {"action": action, ACTION_CHECKBOX_NAME: list(ids)} | fields
    return client.post(reverse("admin:billing_invoice_changelist"), data)


def read_state(invoice):
    return Invoice.objects.get(pk=invoice.id).state


VERBS = {"pay": "paid", "give_up": "uncollectible", "make_void": "void", "credit": "paid"}


@pytest.mark.parametrize("action", VERBS)
def test_an_action_asks_before_it_acts(finance, action):
    invoice = make_invoice()
    page = act(finance, action, invoice.id).content.decode()
    assert invoice.number in page
    assert "49.00" in page
    assert read_state(invoice) == "issued"
    act(finance, action, invoice.id, confirmed="yes")
    assert read_state(invoice) == VERBS[action]


@pytest.mark.parametrize("action", [*VERBS, "issue"])
def test_who_may_only_look_cannot_act(client, action):
    invoice = make_invoice()
    client.force_login(make_person("reader@vendor.example", permissions=["view_invoice"]))
    act(client, action, invoice.id, confirmed="yes")
    assert read_state(invoice) == "issued"
    assert not InvoiceMove.objects.exists()


def test_drafts_are_issued_of_a_period_and_of_items(finance):
    subscription = make_subscription()
    add(subscription.account_id)
    of_items = drafting.draft_items(account_id=subscription.account_id, currency="EUR", at=FEB)
    of_period = invoicing.draft_ended_period(subscription.period_id, at=FEB)
    act(finance, "issue", of_items.pk, of_period, confirmed="yes")
    assert dict(Invoice.objects.values_list("kind", "number")) == {
        "one_off": "2026-000001",
        "period": "2026-000002",
    }


def test_what_is_left_of_a_paid_invoice_is_granted_as_credit(finance):
    invoice = make_invoice()
    moves.mark_paid(invoice.id, method="transfer", at=MAR)
    act(finance, "credit", invoice.id, confirmed="yes")
    assert CreditGrant.objects.get().balance_minor == 4900
    act(finance, "credit", invoice.id, confirmed="yes")
    assert CreditNote.objects.count() == 1


def test_what_is_refused_is_told_and_stops_no_other(finance):
    first = make_invoice()
    other = make_subscription("beta", plan=make_plan("other"))
    second = invoicing.close_period(other.period_id, at=FEB + HOUR)
    moves.mark_paid(first.id, method="transfer", at=MAR)
    act(finance, "make_void", first.id, second.id, confirmed="yes")
    page = finance.get(reverse("admin:billing_invoice_changelist")).content.decode()
    assert "it cannot become void" in page or "correct it by a credit note" in page
    assert (read_state(first), read_state(second)) == ("paid", "void")


def test_an_invoice_page_shows_what_became_of_it(finance):
    invoice = make_invoice()
    moves.record_payment(invoice.id, amount_minor=900, method="transfer", reference="RF18", key="1", at=MAR)
    page = show(finance, "invoice", invoice.id)
    assert "transfer RF18 €9.00" in page
    assert "€40.00" in page
    assert Payment.objects.count() == 1
