"""Invoices with the reasons of each amount. Nothing can be edited: a mistake is corrected by another document."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.credit_notes import CreditNotePages
from billing.admin.invoice_lines import LineInline
from billing.admin.pages import ask_first
from billing.admin.papers import InvoicePaper
from billing.admin.reading import ReadOnly, list_sentences, name_maker, show_day, show_moment
from billing.admin.settlements import ManyReasonForm
from billing.credit_notes import CreditRefused, issue_credit_note, read_left
from billing.drafting import UnknownDraft, drop_draft
from billing.dunning import DunningState, read_dunning
from billing.invoicing import PeriodNotOver, close_period, list_late_differences
from billing.issuing import issue_one_off
from billing.late.ledger import read_late_usage
from billing.models import (
    CreditDestination,
    Invoice,
    InvoiceKind,
    InvoiceState,
    StripeInvoiceState,
    StripeInvoiceStep,
)
from billing.moves import MoveRefused, mark_paid, mark_uncollectible, read_standing, void_invoice
from billing.stripe.charging.scans import try_again
from billing.stripe.charging.standing import ChargingFact, read_charging
from billing.wording import display_money, display_period, explain_late
from metering.quantities import format_exact

if TYPE_CHECKING:
    InvoiceModelAdmin = admin.ModelAdmin[Invoice]
else:
    InvoiceModelAdmin = admin.ModelAdmin

DUNNING = {
    DunningState.SETTLED: _("nothing to remind of"),
    DunningState.WAITING: _("the first reminder is still to come"),
    DunningState.REMINDED: _("reminded"),
    DunningState.EXHAUSTED: _("the last reminder is out: somebody has to decide"),
    DunningState.COLLECTING: _("Stripe collects it by itself, so that no reminder goes out"),
}


def describe_charging(fact: ChargingFact) -> tuple[str, SafeString]:
    """In a sentence, and a link to Stripe's page while something is to be paid there."""
    parts = [
        fact.stripe_id,
        display_money(fact.total_minor, fact.currency),
        fact.state_label,
        gettext("%(brand)s ending in %(last4)s") % {"brand": fact.card.brand.title(), "last4": fact.card.last4}
        if fact.card
        else gettext("no card"),
    ]
    if fact.is_stopped or fact.state == StripeInvoiceState.DRAFT:
        parts.append(fact.step_label)
    if fact.attempt_count:
        parts.append(gettext("attempts: %(count)d") % {"count": fact.attempt_count})
    if fact.next_attempt_at:
        parts.append(gettext("next attempt %(moment)s") % {"moment": show_moment(fact.next_attempt_at)})
    if fact.needs_action:
        parts.append(gettext("the customer has to confirm the payment"))
    if fact.detail:
        parts.append(fact.detail)
    if fact.refunded_minor:
        parts.append(gettext("refunded: %(amount)s") % {"amount": display_money(fact.refunded_minor, fact.currency)})
    if fact.is_disputed:
        parts.append(gettext("dispute: %(state)s") % {"state": fact.dispute_label})
    link = format_html(' <a href="{}" rel="noopener">{}</a>', fact.pay_url, gettext("Stripe's page"))
    return " · ".join(parts), link if fact.pay_url else SafeString("")


@admin.register(Invoice)
class InvoiceAdmin(ReadOnly, InvoicePaper, CreditNotePages, InvoiceModelAdmin):
    list_display = ["name", "customer_name", "account", "plan_name", "period_text", "state", "total", "issued_at"]
    list_filter = ["state", "kind", "currency"]
    list_select_related = ["account"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "issued_at"
    ordering = ["-issued_at", "-pk"]
    search_fields = ["number", "customer_name", "account__key", "account__name"]
    search_help_text = _("Search in numbers, customers and accounts")
    inlines = [LineInline]
    readonly_fields = [
        "name", "period_text", "subtotal", "discount", "tax", "total", "credited", "due", "left", "payments_made",
        "notes", "at_stripe", "reminded", "moves_made", "late_usage",
    ]  # fmt: skip
    fieldsets = [
        (None, {"fields": ["name", "kind", "state", "issued_at"]}),
        (_("What it asks"), {"fields": ["discount", "subtotal", "tax", "total", "credited", "due", "left"]}),
        (
            _("For whom"),
            {
                "fields": [
                    "customer_name",
                    "customer_address",
                    "customer_country",
                    "customer_tax_number",
                    "account",
                    "plan_name",
                    "period_text",
                    "time_zone",
                    "language",
                ]
            },
        ),
        (_("Since then"), {"fields": ["at_stripe", "payments_made", "notes", "reminded", "moves_made", "late_usage"]}),
    ]
    actions = ["issue", "drop", "pay", "give_up", "make_void", "credit", "charge_again"]

    @admin.display(description=_("number"), ordering="number")
    def name(self, invoice: Invoice) -> str:
        return invoice.number or gettext("draft")

    @admin.display(description=_("period"), ordering="period_start")
    def period_text(self, invoice: Invoice) -> str:
        return display_period(invoice.period_start, invoice.period_end, invoice.time_zone)

    @admin.display(description=_("total"), ordering="total_minor")
    def total(self, invoice: Invoice) -> str:
        return display_money(invoice.total_minor, invoice.currency)

    @admin.display(description=_("late usage"))
    def late_usage(self, invoice: Invoice) -> SafeString | str:
        """What the period counted since it was billed."""
        if invoice.number is None:
            return "–"
        sentences = [
            gettext("%(description)s: %(billed)s billed, %(used)s counted by now")
            % {
                "description": late.description,
                "billed": format_exact(late.billed, late.unit),
                "used": format_exact(late.used, late.unit),
            }
            for late in list_late_differences(number=invoice.number)
        ]
        settled = read_late_usage(account_id=invoice.account_id, number=invoice.number).settled
        sentences += [explain_late(each) for each in settled]
        return list_sentences(sentences) if sentences else gettext("None: the period counts what was billed.")

    # What it asks

    @admin.display(description=_("discounts"))
    def discount(self, invoice: Invoice) -> str:
        return display_money(-invoice.discount_minor, invoice.currency)

    @admin.display(description=_("without tax"))
    def subtotal(self, invoice: Invoice) -> str:
        return display_money(invoice.subtotal_minor, invoice.currency)

    @admin.display(description=_("tax"))
    def tax(self, invoice: Invoice) -> str:
        return display_money(invoice.tax_minor, invoice.currency)

    @admin.display(description=_("paid by credit"))
    def credited(self, invoice: Invoice) -> str:
        return display_money(invoice.credited_minor, invoice.currency)

    @admin.display(description=_("due when issued"))
    def due(self, invoice: Invoice) -> str:
        return display_money(invoice.due_minor, invoice.currency)

    @admin.display(description=_("still due"))
    def left(self, invoice: Invoice) -> str:
        is_owed = invoice.state in (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE)
        return display_money(read_standing(invoice).open_minor if is_owed else 0, invoice.currency)

    @admin.display(description=_("payments"))
    def payments_made(self, invoice: Invoice) -> SafeString:
        return list_sentences(
            f"{show_day(paid.paid_at)}: {paid} {display_money(paid.amount_minor, invoice.currency)}{name_maker(paid)}"
            for paid in invoice.payments.select_related("made_by").order_by("pk")
        )

    @admin.display(description=_("credit notes"))
    def notes(self, invoice: Invoice) -> SafeString | str:
        links = (
            (
                show_day(note.issued_at),
                reverse("admin:billing_creditnote_change", args=[note.pk]),
                note,
                display_money(note.total_minor, invoice.currency),
                note.get_destination_display(),
                note.reason,
                name_maker(note),
            )
            for note in invoice.credit_notes.select_related("made_by").order_by("pk")
        )
        text = '{}: <a href="{}">{}</a> {} ({}) {}{}'
        return format_html_join(SafeString("<br>"), text, links) or "–"

    @admin.display(description=_("through Stripe"))
    def at_stripe(self, invoice: Invoice) -> SafeString | str:
        """Each of its invoices there: how it is paid, how far it is, and what went wrong."""
        return format_html_join(SafeString("<br>"), "{}{}", map(describe_charging, read_charging(invoice.pk))) or "–"

    @admin.display(description=_("reminders"))
    def reminded(self, invoice: Invoice) -> SafeString:
        """Where the dunning stands, then each reminder that is out."""
        sent = [
            gettext("%(day)s: reminder %(number)d to %(email)s")
            % {"day": show_day(each.sent_at), "number": each.number, "email": each.email or gettext("nobody")}
            for each in invoice.reminders.order_by("number")
        ]
        return list_sentences([str(DUNNING[read_dunning(invoice)]), *sent])

    @admin.display(description=_("what became of it"))
    def moves_made(self, invoice: Invoice) -> SafeString:
        return list_sentences(
            f"{show_day(move.at)}: {InvoiceState(move.state).label} {move.reason}{name_maker(move)}"
            for move in invoice.moves.select_related("made_by").order_by("pk")
        )

    # Who may do what

    def has_issue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.issue_invoice")

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.settle_invoice")

    def has_void_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.void_invoice")

    def has_credit_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.credit_invoice")

    def has_charge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.charge_invoice")

    @admin.action(description=_("Try again what stopped at Stripe"), permissions=["charge"])
    def charge_again(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        stopped = queryset.filter(stripe_invoices__step=StripeInvoiceStep.STOPPED).distinct()
        if not stopped:
            self.message_user(request, _("None of the selected invoices stopped at Stripe."), messages.WARNING)
            return None

        def charge_again(invoice: Invoice) -> None:
            for row in invoice.stripe_invoices.filter(step=StripeInvoiceStep.STOPPED):
                try_again(row.pk, at=timezone.now())

        question = _("Stripe is asked once more to collect them, if it asks what they do:")
        return self.do_each(
            request, stopped, charge_again, question, gettext("Asked Stripe again."), action="charge_again"
        )

    @admin.action(description=_("Issue selected drafts"), permissions=["issue"])
    def issue(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        def issue(invoice: Invoice) -> None:
            if invoice.kind == InvoiceKind.PERIOD and invoice.period_id is not None:
                close_period(invoice.period_id, at=timezone.now())
            else:
                issue_one_off(invoice.pk, at=timezone.now())

        question = _("They get their numbers, and nothing of them can change any more:")
        return self.do_each(request, queryset, issue, question, gettext("Issued."), action="issue")

    @admin.action(description=_("Take back drafts of items"), permissions=["issue"])
    def drop(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        drafts = queryset.filter(kind=InvoiceKind.ONE_OFF, state=InvoiceState.DRAFT)
        if not drafts:
            self.message_user(request, _("None of the selected invoices is a draft of items."), messages.WARNING)
            return None

        def drop(invoice: Invoice) -> None:
            drop_draft(invoice.pk)

        question = _("What is on them waits again for an invoice:")
        return self.do_each(request, drafts, drop, question, gettext("Taken back."), action="drop")

    @admin.action(description=_("Selected invoices are paid"), permissions=["settle"])
    def pay(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        def pay(invoice: Invoice) -> None:
            mark_paid(invoice.pk, method="manual", at=timezone.now(), by=request.user.pk)

        question = _("All that is still due of them has come in:")
        return self.do_each(request, queryset, pay, question, gettext("Paid."), action="pay")

    @admin.action(description=_("Give up selected invoices"), permissions=["settle"])
    def give_up(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        def give_up(invoice: Invoice, reason: str) -> None:
            mark_uncollectible(invoice.pk, reason=reason, at=timezone.now(), by=request.user.pk)

        question = _("Nobody expects them to be paid any more:")
        return self.reason_each(request, queryset, give_up, question, gettext("Given up."), action="give_up")

    @admin.action(description=_("Make selected invoices void"), permissions=["void"])
    def make_void(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        def make_void(invoice: Invoice, reason: str) -> None:
            void_invoice(invoice.pk, reason=reason, at=timezone.now(), by=request.user.pk)

        question = _("They were a mistake, and nobody owes them; the credit that paid them comes back:")
        return self.reason_each(request, queryset, make_void, question, gettext("Void."), action="make_void")

    @admin.action(description=_("Credit the whole of selected invoices"), permissions=["credit"])
    def credit(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        """What is left of a paid one is granted as credit; what is left of another is taken off what is due."""

        def credit(invoice: Invoice, reason: str) -> None:
            left = read_left(invoice)
            is_paid = invoice.state == InvoiceState.PAID
            issue_credit_note(
                invoice.pk,
                destination=CreditDestination.BALANCE if is_paid else CreditDestination.DUE,
                reason=reason,
                key=f"whole, {left} left",
                amount_minor=left if is_paid else min(left, read_standing(invoice).open_minor),
                at=timezone.now(),
                by=request.user.pk,
            )

        question = _(
            "A credit note is issued over what is left of each: as credit where it is paid, else off what is due:"
        )
        return self.reason_each(request, queryset, credit, question, gettext("Credited."), action="credit")

    def reason_each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Invoice],
        verb: Callable[[Invoice, str], None],
        question: Any,
        log: str,
        *,
        action: str,
    ) -> HttpResponse | None:
        """Ask for the reason with the question, and again where there was none."""
        form = ManyReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            rows = [(invoice, invoice.account, self.total(invoice)) for invoice in queryset.select_related("account")]
            return ask_first(self, request, rows, action=action, question=question, form=form)
        reason = form.cleaned_data["reason"]
        return self.do_each(
            request, queryset, lambda invoice: verb(invoice, reason), question, f"{log} {reason}", action=action
        )

    def do_each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Invoice],
        verb: Callable[[Invoice], None],
        question: Any,
        log: str,
        *,
        action: str,
    ) -> HttpResponse | None:
        """Ask first; then do it to each, and say so in its history. What is refused is told and stops no other."""
        invoices = list(queryset.select_related("account").order_by("pk"))
        if "confirmed" not in request.POST:
            rows = [(invoice, invoice.account, self.total(invoice)) for invoice in invoices]
            return ask_first(self, request, rows, action=action, question=question)
        for invoice in invoices:
            try:
                verb(invoice)
                self.log_change(request, invoice, log)
            except (MoveRefused, CreditRefused, PeriodNotOver, UnknownDraft) as error:
                self.message_user(request, str(error), messages.ERROR)
        return None
