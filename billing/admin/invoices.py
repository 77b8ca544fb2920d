"""Invoices with the reasons of each amount. Nothing can be edited: a mistake is corrected by another document."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.pages import ask_first
from billing.admin.reading import ReadOnly, list_sentences
from billing.credit_notes import CreditRefused, issue_credit_note, read_left
from billing.drafting import UnknownDraft
from billing.invoicing import PeriodNotOver, close_period, list_late_differences
from billing.issuing import issue_one_off
from billing.lines import describe_line, read_taxes
from billing.models import CreditDestination, Invoice, InvoiceKind, InvoiceLine, InvoiceState
from billing.moves import MoveRefused, mark_paid, mark_uncollectible, read_standing, void_invoice
from billing.rating import trim
from billing.wording import display_money, display_period, explain_line
from metering.quantities import format_exact

if TYPE_CHECKING:
    InvoiceModelAdmin = admin.ModelAdmin[Invoice]
    LineTabularInline = admin.TabularInline[InvoiceLine, Invoice]
else:
    InvoiceModelAdmin = admin.ModelAdmin
    LineTabularInline = admin.TabularInline


class LineInline(ReadOnly, LineTabularInline):
    model = InvoiceLine
    readonly_fields = ["description", "used", "why", "event_count", "amount", "discount", "tax", "total"]
    fields = [*readonly_fields]
    ordering = ["position"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[InvoiceLine]:
        return super().get_queryset(request).select_related("invoice", "meter")

    @admin.display(description=_("quantity"))
    def used(self, line: InvoiceLine) -> str:
        return format_exact(line.quantity, line.unit)

    @admin.display(description=_("why"))
    def why(self, line: InvoiceLine) -> SafeString:
        return list_sentences(explain_line(describe_line(line), line.invoice.currency))

    @admin.display(description=_("amount"))
    def amount(self, line: InvoiceLine) -> str:
        return display_money(line.amount_minor, line.invoice.currency)

    @admin.display(description=_("discount"))
    def discount(self, line: InvoiceLine) -> str:
        return display_money(-line.discount_minor, line.invoice.currency) if line.discount_minor else "–"

    @admin.display(description=_("tax"))
    def tax(self, line: InvoiceLine) -> SafeString:
        parts = read_taxes(line)
        return list_sentences(
            f"{tax.name} {trim(tax.percent):f} %: {display_money(tax.minor, line.invoice.currency)}" for tax in parts
        )

    @admin.display(description=_("total"))
    def total(self, line: InvoiceLine) -> str:
        return display_money(line.total_minor, line.invoice.currency)


@admin.register(Invoice)
class InvoiceAdmin(ReadOnly, InvoiceModelAdmin):
    list_display = ["name", "customer_name", "account", "plan_name", "period_text", "state", "total", "issued_at"]
    list_filter = ["state", "currency"]
    list_select_related = ["account"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "issued_at"
    ordering = ["-issued_at", "-pk"]
    search_fields = ["number", "customer_name", "account__key", "account__name"]
    search_help_text = _("Search in numbers, customers and accounts")
    inlines = [LineInline]
    readonly_fields = [
        "name", "period_text", "subtotal", "discount", "tax", "total", "credited", "due", "left", "history",
        "late_usage",
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
        (_("Since then"), {"fields": ["history", "late_usage"]}),
    ]
    actions = ["issue", "pay", "give_up", "make_void", "credit"]

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

    @admin.display(description=_("payments, credit notes, moves"))
    def history(self, invoice: Invoice) -> SafeString:
        """What became of it, each kind in the order in which it happened."""
        payments = [
            f"{paid.paid_at:%Y-%m-%d}: {paid} {display_money(paid.amount_minor, invoice.currency)}"
            for paid in invoice.payments.order_by("pk")
        ]
        notes = [
            f"{note.issued_at:%Y-%m-%d}: {note} {display_money(note.total_minor, invoice.currency)}"
            f" ({note.get_destination_display()}) {note.reason}"
            for note in invoice.credit_notes.order_by("pk")
        ]
        moved = [
            f"{move.at:%Y-%m-%d}: {InvoiceState(move.state).label} {move.reason}".strip()
            for move in invoice.moves.order_by("pk")
        ]
        return list_sentences([*payments, *notes, *moved])

    # Who may do what

    def has_issue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.issue_invoice")

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.settle_invoice")

    def has_void_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.void_invoice")

    def has_credit_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.credit_invoice")

    @admin.action(description=_("Issue selected drafts"), permissions=["issue"])
    def issue(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        def issue(invoice: Invoice) -> None:
            if invoice.kind == InvoiceKind.PERIOD and invoice.period_id is not None:
                close_period(invoice.period_id, at=timezone.now())
            else:
                issue_one_off(invoice.pk, at=timezone.now())

        question = _("They get their numbers, and nothing of them can change any more:")
        return self.do_each(request, queryset, issue, question, gettext("Issued."), action="issue")

    @admin.action(description=_("Selected invoices are paid"), permissions=["settle"])
    def pay(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        def pay(invoice: Invoice) -> None:
            mark_paid(invoice.pk, method="manual", at=timezone.now(), by=request.user.pk)

        question = _("All that is still due of them has come in:")
        return self.do_each(request, queryset, pay, question, gettext("Paid."), action="pay")

    @admin.action(description=_("Give up selected invoices"), permissions=["settle"])
    def give_up(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        def give_up(invoice: Invoice) -> None:
            mark_uncollectible(invoice.pk, at=timezone.now(), by=request.user.pk)

        question = _("Nobody expects them to be paid any more:")
        return self.do_each(request, queryset, give_up, question, gettext("Given up."), action="give_up")

    @admin.action(description=_("Make selected invoices void"), permissions=["void"])
    def make_void(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        def make_void(invoice: Invoice) -> None:
            reason = gettext("made void in the back-office")
            void_invoice(invoice.pk, reason=reason, at=timezone.now(), by=request.user.pk)

        question = _("They were a mistake, and nobody owes them; the credit that paid them comes back:")
        return self.do_each(request, queryset, make_void, question, gettext("Void."), action="make_void")

    @admin.action(description=_("Credit the whole of selected invoices"), permissions=["credit"])
    def credit(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        """What is left of a paid one is granted as credit; what is left of another is taken off what is due."""

        def credit(invoice: Invoice) -> None:
            left = read_left(invoice)
            is_paid = invoice.state == InvoiceState.PAID
            issue_credit_note(
                invoice.pk,
                destination=CreditDestination.BALANCE if is_paid else CreditDestination.DUE,
                reason=gettext("credited in the back-office"),
                key=f"whole, {left} left",
                amount_minor=left if is_paid else read_standing(invoice).open_minor,
                at=timezone.now(),
                by=request.user.pk,
            )

        question = _(
            "A credit note is issued over what is left of each: as credit where it is paid, else off what is due:"
        )
        return self.do_each(request, queryset, credit, question, gettext("Credited."), action="credit")

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
