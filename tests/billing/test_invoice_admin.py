import html
import re

import pytest
import time_machine
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.urls import reverse

from billing import credit_notes, drafting, invoicing, moves
from billing.admin.credit_notes import CreditNoteForm
from billing.admin.settlements import SETTLEMENTS
from billing.models import CreditGrant, CreditNote, Invoice, InvoiceMove, Payment
from jobs.models import Job
from jobs.runner import run_job
from tests.billing.credits.makers import give
from tests.billing.makers import FEB, HOUR, MAR, MID_JAN, make_plan, make_subscription, use
from tests.billing.stripe.charging.makers import make_row
from tests.billing.test_admin import make_person, show
from tests.billing.test_items import add

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(MAR, tick=False):
        yield


@pytest.fixture
def finance(client):
    names = [
        "view_invoice", "view_invoiceline", "view_creditnote", "view_creditnoteline", "issue_invoice", "void_invoice",
        "settle_invoice", "credit_invoice",
    ]  # fmt: skip
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
    act(finance, action, invoice.id, confirmed="yes", reason="it broke")
    assert read_state(invoice) == VERBS[action]


@pytest.mark.parametrize("action", [*VERBS, "issue"])
def test_who_may_only_look_cannot_act(client, action):
    invoice = make_invoice()
    client.force_login(make_person("reader@vendor.example", permissions=["view_invoice"]))
    act(client, action, invoice.id, confirmed="yes")
    assert read_state(invoice) == "issued"
    assert [move.state for move in InvoiceMove.objects.all()] == ["issued"]


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
    act(finance, "credit", invoice.id, confirmed="yes", reason="it broke")
    assert CreditGrant.objects.get().balance_minor == 4900
    act(finance, "credit", invoice.id, confirmed="yes", reason="it broke")
    assert CreditNote.objects.count() == 1


def test_what_is_refused_is_told_and_stops_no_other(finance):
    first = make_invoice()
    other = make_subscription("beta", plan=make_plan("other"))
    second = invoicing.close_period(other.period_id, at=FEB + HOUR)
    moves.mark_paid(first.id, method="transfer", at=MAR)
    act(finance, "make_void", first.id, second.id, confirmed="yes", reason="it broke")
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


def open_page(client, name, invoice, **fields):
    address = reverse(f"admin:billing_invoice_{name}", args=[invoice.id])
    return client.post(address, fields, follow=True) if fields else client.get(address)


ONCE = "3a0f2d5e-1c7e-4f0e-9a55-0d8c6b1f2a10"


def test_a_void_asks_for_a_reason_and_keeps_it(finance):
    invoice = make_invoice()
    page = act(finance, "make_void", invoice.id, confirmed="yes", reason=" ").content.decode()
    assert "This field is required." in page
    assert read_state(invoice) == "issued"
    open_page(finance, "make_void", invoice, reason="it never ran", confirmed="yes")
    assert read_state(invoice) == "void"
    assert InvoiceMove.objects.get(state="void").reason == "it never ran"
    assert "it never ran (finance@vendor.example)" in show(finance, "invoice", invoice.id)


def test_a_void_invoice_can_be_billed_again_at_once(finance):
    invoice = make_invoice()
    open_page(finance, "make_void", invoice, reason="wrong name", bills_again="on", confirmed="yes")
    assert list(Invoice.objects.order_by("pk").values_list("state", "number")) == [
        ("void", "2026-000001"),
        ("issued", "2026-000002"),
    ]


def test_a_payment_of_a_part_is_recorded_once(finance):
    invoice = make_invoice()
    terms = {"amount": "19", "method": "transfer", "reference": "RF18", "once": ONCE}
    assert "€19.00" in open_page(finance, "payment", invoice, **terms).content.decode()
    assert not Payment.objects.exists()
    for _ in range(2):
        open_page(finance, "payment", invoice, **terms, confirmed="yes")
    assert Payment.objects.get().amount_minor == 1900
    assert "€30.00 is still due." in open_page(finance, "payment", invoice).content.decode()


@pytest.mark.parametrize("amount", ["49.01", "0", "-1", "1.005"])
def test_a_payment_that_cannot_be_is_told_at_its_field(finance, amount):
    invoice = make_invoice()
    terms = {"amount": amount, "method": "transfer", "once": ONCE}
    page = open_page(finance, "payment", invoice, **terms, confirmed="yes").content.decode()
    assert "errorlist" in page
    assert not Payment.objects.exists()


def test_an_invoice_is_reminded_of_ahead_of_its_day(finance):
    invoice = make_invoice()
    open_page(finance, "remind", invoice, confirmed="yes")
    [job] = Job.objects.filter(kind="billing.remind")
    run_job(job.pk, clock=lambda: MAR)
    page = show(finance, "invoice", invoice.id)
    assert "reminded" in page
    assert "reminder 1 to nobody" in page


def test_a_credit_note_over_a_part_is_shown_before_it_is_issued(finance):
    invoice = make_invoice()
    terms = {"destination": "due", "line_1": "9.50", "reason": "slow in June", "once": ONCE}
    page = open_page(finance, "credit_note", invoice, **terms).content.decode()
    assert "€9.50" in page
    assert "slow in June" in page
    assert not CreditNote.objects.exists()
    for _ in range(2):
        open_page(finance, "credit_note", invoice, **terms, confirmed="yes")
    note = CreditNote.objects.get()
    assert (note.total_minor, note.destination, note.reason) == (950, "due", "slow in June")
    assert "€9.50" in show(finance, "creditnote", note.pk)
    assert note.number in show(finance, "invoice", invoice.id)
    assert "€39.50" in show(finance, "invoice", invoice.id)


def test_a_credit_note_offers_only_what_can_be_given_back_in_that_way(finance):
    invoice = make_invoice()
    page = open_page(finance, "credit_note", invoice).content.decode()
    assert "taken off what is due (at most €49.00)" in page
    assert "granted as credit" not in page
    moves.mark_paid(invoice.id, method="transfer", at=MAR)
    page = open_page(finance, "credit_note", invoice).content.decode()
    assert "granted as credit (at most €49.00)" in page
    assert "taken off what is due" not in page


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"line_1": "49.01"}, "At most the €49.00 that are left of it."),
        ({"amount": "49.01"}, "Above zero, and at most the €49.00 that are left."),
        ({"amount": "0"}, "Above zero, and at most the €49.00 that are left."),
        ({"amount": "1", "line_1": "1"}, "Either an amount that is shared, or amounts of lines."),
        ({"amount": "1.001"}, "EUR has no unit as small as that."),
        ({"destination": "balance"}, "Select a valid choice."),
        ({"reason": ""}, "This field is required."),
    ],
)
def test_a_credit_note_that_cannot_be_is_told_and_not_issued(finance, terms, words):
    invoice = make_invoice()
    sent = {"destination": "due", "reason": "slow", "once": ONCE} | terms
    assert words in open_page(finance, "credit_note", invoice, **sent, confirmed="yes").content.decode()
    assert not CreditNote.objects.exists()


def test_what_was_given_back_meanwhile_is_refused_under_the_lock(finance, monkeypatch):
    """The form was sound when it was read: another note came before it was confirmed."""
    invoice = make_invoice()
    clean = CreditNoteForm.clean

    def clean_then_lose(form):
        values = clean(form)
        credit_notes.issue_credit_note(
            invoice.id, destination="due", reason="first", key="first", at=MAR, amount_minor=4000
        )
        return values

    monkeypatch.setattr(CreditNoteForm, "clean", clean_then_lose)
    sent = {"destination": "due", "amount": "49", "reason": "second", "once": ONCE}
    page = open_page(finance, "credit_note", invoice, **sent, confirmed="yes").content.decode()
    assert "there is no 4900 to give back" in page
    assert CreditNote.objects.get().reason == "first"


@pytest.mark.parametrize("name", ["credit_note", *SETTLEMENTS])
def test_who_may_only_look_reaches_no_page_that_acts(client, name):
    invoice = make_invoice()
    client.force_login(make_person("reader@vendor.example", permissions=["view_invoice", "view_invoiceline"]))
    terms = {"reason": "x", "amount": "1", "destination": "due", "method": "x", "once": ONCE}
    assert open_page(client, name, invoice).status_code == 403
    assert open_page(client, name, invoice, **terms, confirmed="yes").status_code == 403
    assert (read_state(invoice), Payment.objects.count(), CreditNote.objects.count()) == ("issued", 0, 0)
    page = show(client, "invoice", invoice.id)
    assert not [each for each in ("Make void", "It is paid", "Write a credit note") if each in page]


def test_a_metered_line_leads_to_its_events(client):
    subscription = make_subscription()
    use("acme", sizes=[5, 6], time=MID_JAN)
    use("other", sizes=[7], time=MID_JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    client.force_login(make_person("chief@vendor.example", is_superuser=True))
    page = show(client, "invoice", invoice.id)
    [link] = set(re.findall(r'href="(/admin/events/[^"]*)"', page))
    listing = client.get(html.unescape(link)).content.decode()
    assert listing.count("web.request") >= 2
    assert "account=acme" in link
    assert "other" not in re.sub(r"<form.*?</form>", "", listing, flags=re.S).partition("<table")[2]


def test_drafts_of_items_are_taken_back(finance):
    subscription = make_subscription()
    add(subscription.account_id)
    draft = drafting.draft_items(account_id=subscription.account_id, currency="EUR", at=FEB)
    assert "waits again" in act(finance, "drop", draft.pk).content.decode()
    act(finance, "drop", draft.pk, confirmed="yes")
    assert not Invoice.objects.exists()


def test_what_credit_paid_in_full_can_be_made_void_or_credited_and_asks_for_nothing_else(finance):
    subscription = make_subscription()
    give(10_000, account_id=subscription.account_id, at=MID_JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    tools = html.unescape(show(finance, "invoice", invoice.id))
    offered = {name for name in SETTLEMENTS if reverse(f"admin:billing_invoice_{name}", args=[invoice.id]) in tools}
    assert offered == {"make_void"}
    assert "paid Nothing is due." in tools
    credit_notes.issue_credit_note(invoice.id, destination="balance", reason="late", key="it", at=MAR)
    assert reverse("admin:billing_invoice_make_void", args=[invoice.id]) not in show(finance, "invoice", invoice.id)


def stop(invoice):
    return make_row(
        Invoice.objects.get(pk=invoice.id),
        step="stopped",
        error_code="customer_tax_location_invalid",
        error_message="No address.",
        total_minor=4900,
    )


def test_the_page_says_how_it_is_paid_through_stripe(finance):
    row = stop(make_invoice())
    page = show(finance, "invoice", row.invoice_id)
    assert "in_1 · €49.00 · draft · no card · stopped · customer_tax_location_invalid: No address." in page


def test_what_stopped_at_stripe_is_tried_again(finance):
    invoice = make_invoice()
    stop(invoice)
    person = make_person("charger@vendor.example", permissions=["view_invoice", "charge_invoice"])
    finance.force_login(person)
    assert invoice.number in act(finance, "charge_again", invoice.id).content.decode()
    assert not Job.objects.filter(kind="stripe.charge").exists()
    act(finance, "charge_again", invoice.id, confirmed="yes")
    assert Job.objects.get(kind="stripe.charge").key == f"{invoice.id}:0:1"


def test_who_may_not_charge_cannot_try_again(finance):
    invoice = make_invoice()
    stop(invoice)
    act(finance, "charge_again", invoice.id, confirmed="yes")
    assert not Job.objects.filter(kind="stripe.charge").exists()


def test_what_stopped_at_stripe_is_tried_again_from_its_page(finance):
    invoice = make_invoice()
    person = make_person("charger@vendor.example", permissions=["view_invoice", "charge_invoice"])
    finance.force_login(person)
    assert "Try again at Stripe" not in show(finance, "invoice", invoice.id)
    stop(invoice)
    assert "Try again at Stripe" in show(finance, "invoice", invoice.id)
    open_page(finance, "charge_again", invoice, confirmed="yes")
    assert Job.objects.get(kind="stripe.charge").key == f"{invoice.id}:0:1"
