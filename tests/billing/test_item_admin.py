"""Items in the back-office: written after a question, once by their key; withdrawn while they wait; billed at once."""

from uuid import uuid4

import pytest
import time_machine
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from billing import drafting, items
from billing.models import Invoice, InvoiceItem
from tests.billing.makers import FEB, make_account, make_subscription
from tests.billing.test_admin import make_person, show
from tests.billing.test_items import add

pytestmark = pytest.mark.django_db

NAMES = ["view_invoiceitem", "add_invoiceitem", "delete_invoiceitem", "issue_invoice", "view_invoice"]


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(FEB, tick=False):
        yield


@pytest.fixture
def finance(client):
    client.force_login(make_person("finance@vendor.example", permissions=NAMES))
    return client


@pytest.fixture
def account():
    return make_account()


def write(client, **fields):
    terms = {
        "account": "acme", "description": "Training", "quantity": "2", "unit_amount": "450.00", "currency": "EUR",
        "once": str(uuid4()),
    }  # fmt: skip
    return client.post(reverse("admin:billing_invoiceitem_add"), terms | fields, follow=True).content.decode()


def act(client, action, *ids, **fields):
    data = {"action": action, ACTION_CHECKBOX_NAME: list(ids)} | fields
    return client.post(reverse("admin:billing_invoiceitem_changelist"), data, follow=True).content.decode()


def test_an_item_is_asked_about_and_written_once(finance, account):
    once = str(uuid4())
    page = write(finance, once=once)
    assert "€900.00 is billed to acme Ltd:" in page
    assert not InvoiceItem.objects.exists()
    for _ in range(2):
        write(finance, once=once, confirmed="yes")
    item = InvoiceItem.objects.get()
    assert (item.amount_minor, item.kind, item.subscription_id) == (90_000, "one_off", None)
    assert item.made_by.email == "finance@vendor.example"
    assert LogEntry.objects.filter(object_id=str(item.pk)).exists()


def test_an_item_goes_on_the_next_invoice_of_a_subscription(finance):
    subscription = make_subscription()
    write(finance, plan="growth", unit_amount="-10", quantity="1", confirmed="yes")
    item = InvoiceItem.objects.get()
    assert (item.subscription_id, item.amount_minor) == (subscription.id, -1000)
    assert "−€10.00" in show(finance, "invoiceitem", item.pk)


def test_a_key_is_billed_once(finance, account):
    write(finance, key="order 7", confirmed="yes")
    assert "Billed before: Training." in write(finance, key="order 7", confirmed="yes")
    assert InvoiceItem.objects.count() == 1


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"account": "nobody"}, "No account goes by this name."),
        ({"plan": "growth"}, "Select a valid choice."),
        ({"unit_amount": "0.0001"}, "It comes to nothing."),
        ({"currency": "XXX"}, "is not a currency code"),
        ({"period_start": "2026-01-01T00:00"}, "A time has a start and an end after it."),
        ({"period_start": "2026-01-02T00:00", "period_end": "2026-01-01T00:00"}, "A time has a start and an end"),
        ({"description": ""}, "This field is required."),
    ],
)
def test_an_item_that_cannot_be_is_told_at_its_field(finance, account, terms, words):
    assert words in write(finance, **terms, confirmed="yes")
    assert not InvoiceItem.objects.exists()


def test_a_subscription_is_billed_in_its_own_currency(finance):
    make_subscription()
    assert "This subscription is billed in EUR." in write(finance, plan="growth", currency="USD", confirmed="yes")
    make_account("beta")
    page = write(finance, account="beta", plan="growth", confirmed="yes")
    assert "The account has no subscription to this plan." in page


def test_what_waits_is_withdrawn_after_a_question_and_no_invoice_bills_it(finance, account):
    item = add(account.id)
    assert "€30.00" in act(finance, "withdraw", item.id)
    assert items.list_waiting(account_id=account.id, currency="EUR") != []
    act(finance, "withdraw", item.id, confirmed="yes")
    assert items.list_waiting(account_id=account.id, currency="EUR") == []
    assert InvoiceItem.objects.get().withdrawn_by.email == "finance@vendor.example"
    assert "None of the selected items waits." in act(finance, "withdraw", item.id)


def test_all_that_waits_together_goes_on_one_draft(finance, account):
    first = add(account.id)
    add(account.id, "5.00", key="other", description="Travel")
    page = act(finance, "draft", first.id)
    assert "Travel" in page
    act(finance, "draft", first.id, confirmed="yes")
    assert Invoice.objects.get().total_minor == 3500
    assert items.list_waiting(account_id=account.id, currency="EUR") == []


def test_who_may_only_look_writes_and_withdraws_nothing(client, account):
    item = add(account.id)
    client.force_login(make_person("reader@vendor.example", permissions=["view_invoiceitem"]))
    assert client.get(reverse("admin:billing_invoiceitem_add")).status_code == 403
    terms = {"account": "acme", "description": "x", "quantity": "1", "unit_amount": "1", "currency": "EUR"}
    data = terms | {"once": str(uuid4()), "confirmed": "yes"}
    assert client.post(reverse("admin:billing_invoiceitem_add"), data).status_code == 403
    act(client, "withdraw", item.id, confirmed="yes")
    act(client, "draft", item.id, confirmed="yes")
    assert (InvoiceItem.objects.get().withdrawn_at, Invoice.objects.count()) == (None, 0)


def test_what_is_on_a_draft_is_told_not_to_wait(finance, account):
    item = add(account.id)
    drafting.draft_items(account_id=account.id, currency="EUR", at=FEB)
    assert "None of the selected items waits." in act(finance, "withdraw", item.id, confirmed="yes")
