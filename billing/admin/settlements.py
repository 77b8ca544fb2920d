"""What becomes of an issued invoice, said by staff: money that came, giving up, void, one more reminder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.credit_forms import amount_field, read_minor
from billing.admin.pages import Question, Tools, Words, fill_form
from billing.dunning import DunningState, NoReminderLeft, enqueue_next_reminder, read_dunning
from billing.models import Invoice, InvoiceState, StripeInvoice, StripeInvoiceStep
from billing.moves import (
    MOVES,
    MoveRefused,
    PaidTooMuch,
    is_moved_for,
    mark_paid,
    mark_uncollectible,
    read_standing,
    record_payment,
    void_invoice,
)
from billing.stripe.charging.scans import try_again
from billing.wording import display_money

if TYPE_CHECKING:
    InvoiceModelAdmin = admin.ModelAdmin[Invoice]
else:
    InvoiceModelAdmin = object

REFUSALS = (MoveRefused, PaidTooMuch, NoReminderLeft)


class InvoiceForm(forms.Form):
    """Of one invoice, so that amounts are read and bounded by it."""

    def __init__(self, *args: Any, invoice: Invoice, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invoice = invoice


class ReasonForm(InvoiceForm):
    reason = forms.CharField(label=_("reason"), max_length=200, help_text=_("It stays in the invoice's history."))

    def list_words(self) -> list[tuple[Words, Words]]:
        return [(_("reason"), self.cleaned_data["reason"])]


class ManyReasonForm(forms.Form):
    """The same for several invoices at once."""

    reason = forms.CharField(label=_("reason"), max_length=200, help_text=_("It stays in the history of each."))


class VoidForm(ReasonForm):
    bills_again = forms.BooleanField(
        label=_("bill it again at once"),
        required=False,
        help_text=_("Its items wait again, and what its period comes to now is issued under a new number."),
    )

    def list_words(self) -> list[tuple[Words, Words]]:
        again = _("yes") if self.cleaned_data["bills_again"] else _("no")
        return [*super().list_words(), (_("bill it again at once"), again)]


class PaymentForm(InvoiceForm):
    amount = amount_field(_("amount"))
    method = forms.CharField(label=_("how it was paid"), max_length=40, initial="transfer")
    reference = forms.CharField(label=_("reference"), max_length=120, required=False)
    once = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        open_text = display_money(read_standing(self.invoice).open_minor, self.invoice.currency)
        self.fields["amount"].help_text = gettext("%(amount)s is still due.") % {"amount": open_text}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        values["amount_minor"] = read_minor(self, "amount", self.invoice.currency)
        if "amount" in values and not 0 < values["amount_minor"] <= read_standing(self.invoice).open_minor:
            self.add_error("amount", gettext("A payment is above zero, and no more than what is still due."))
        return values

    def list_words(self) -> list[tuple[Words, Words]]:
        values = self.cleaned_data
        amount = display_money(values["amount_minor"], self.invoice.currency)
        return [(_("amount"), amount), (_("how it was paid"), f"{values['method']} {values['reference']}".strip())]


class PlainForm(InvoiceForm):
    """Nothing is to be said but yes."""

    def list_words(self) -> list[tuple[Words, Words]]:
        open_minor = read_standing(self.invoice).open_minor
        return [(_("still due"), display_money(open_minor, self.invoice.currency))]


def pay(form: Any, *, at: datetime, by: int | None) -> None:
    mark_paid(form.invoice.pk, method="manual", at=at, by=by)


def pay_part(form: Any, *, at: datetime, by: int | None) -> None:
    values = form.cleaned_data
    record_payment(
        form.invoice.pk,
        amount_minor=values["amount_minor"],
        method=values["method"],
        reference=values["reference"],
        key=f"by hand {values['once']}",
        at=at,
        by=by,
    )


def give_up(form: Any, *, at: datetime, by: int | None) -> None:
    mark_uncollectible(form.invoice.pk, reason=form.cleaned_data["reason"], at=at, by=by)


def make_void(form: Any, *, at: datetime, by: int | None) -> None:
    void_invoice(form.invoice.pk, **form.cleaned_data, at=at, by=by)


def remind(form: Any, *, at: datetime, by: int | None) -> None:
    enqueue_next_reminder(form.invoice.pk, at=at)


def charge_again(form: Any, *, at: datetime, by: int | None) -> None:
    for row in list_stopped(form.invoice):
        try_again(row.pk, at=at)


def list_stopped(invoice: Invoice) -> list[StripeInvoice]:
    """Its invoices at Stripe with which nothing more is done until somebody says so."""
    return list(invoice.stripe_invoices.filter(step=StripeInvoiceStep.STOPPED).order_by("pk"))


@dataclass(frozen=True, slots=True)
class Settlement:
    """One thing that can become of an invoice: its name, the question, its terms, who may, and when it makes sense."""

    label: Words
    question: Words
    form: type[Any]
    make: Callable[..., None]
    permission: str
    is_possible: Callable[[Invoice], bool]


def is_owed(invoice: Invoice) -> bool:
    return invoice.state in (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE)


def can_be_void(invoice: Invoice) -> bool:
    return invoice.number is not None and InvoiceState.VOID in MOVES[invoice.state] and not is_moved_for(invoice)


def can_be_reminded_of(invoice: Invoice) -> bool:
    return read_dunning(invoice) in (DunningState.WAITING, DunningState.REMINDED)


SETTLEMENTS: Mapping[str, Settlement] = {
    "pay": Settlement(
        _("It is paid"),
        _("All that is still due of it has come in:"),
        PlainForm,
        pay,
        "billing.settle_invoice",
        is_owed,
    ),
    "payment": Settlement(
        _("Record a payment"), _("This came in for it:"), PaymentForm, pay_part, "billing.settle_invoice", is_owed
    ),
    "remind": Settlement(
        _("Remind now"),
        _("The next reminder goes out now instead of on its day:"),
        PlainForm,
        remind,
        "billing.settle_invoice",
        can_be_reminded_of,
    ),
    "charge_again": Settlement(
        _("Try again at Stripe"),
        _("Stripe is asked once more to collect it, if it asks what it does:"),
        PlainForm,
        charge_again,
        "billing.charge_invoice",
        lambda invoice: bool(list_stopped(invoice)),
    ),
    "give_up": Settlement(
        _("Give up"),
        _("Nobody expects it to be paid any more:"),
        ReasonForm,
        give_up,
        "billing.settle_invoice",
        lambda invoice: invoice.state == InvoiceState.ISSUED,
    ),
    "make_void": Settlement(
        _("Make void"),
        _("It was a mistake, and nobody owes it; the credit that paid it comes back:"),
        VoidForm,
        make_void,
        "billing.void_invoice",
        can_be_void,
    ),
}


class SettlementPages(Tools, InvoiceModelAdmin):
    """A page for each, under the invoice."""

    def list_tools(self, request: HttpRequest, row: Invoice) -> list[tuple[str, Words]]:
        tools = super().list_tools(request, row)
        for name, each in SETTLEMENTS.items():
            if request.user.has_perm(each.permission) and each.is_possible(row):
                tools.append((reverse(f"admin:billing_invoice_{name}", args=[row.pk]), each.label))
        return tools

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.settle_view)
        pages = [
            path(f"<int:invoice_id>/{name.replace('_', '-')}/", view, {"name": name}, name=f"billing_invoice_{name}")
            for name in SETTLEMENTS
        ]
        return [*pages, *super().get_urls()]

    def find_invoice(self, request: HttpRequest, invoice_id: int, permission: str) -> Invoice:
        if not (self.has_view_permission(request) and request.user.has_perm(permission)):
            raise PermissionDenied
        invoice = Invoice.objects.select_related("account").filter(pk=invoice_id).first()
        if invoice is None:
            raise Http404
        return invoice

    def settle_view(self, request: HttpRequest, invoice_id: int, name: str) -> HttpResponse:
        settlement = SETTLEMENTS[name]
        invoice = self.find_invoice(request, invoice_id, settlement.permission)
        asks_nothing = settlement.form is PlainForm
        data = request.POST if asks_nothing or request.method == "POST" else None
        form = settlement.form(data, invoice=invoice, initial={"once": uuid4()})
        return fill_form(
            self,
            request,
            form,
            title=settlement.label,
            ask=lambda form: Question(settlement.question, settlement.label, form.list_words()),
            act=partial(self.settle, request, settlement),
            refusals=REFUSALS,
            subject=invoice,
        )

    def settle(self, request: HttpRequest, settlement: Settlement, form: Any) -> HttpResponse:
        settlement.make(form, at=timezone.now(), by=request.user.pk)
        self.log_change(request, form.invoice, str(settlement.label))
        self.message_user(request, gettext("Done: %(move)s.") % {"move": settlement.label}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:billing_invoice_change", args=[form.invoice.pk]))
