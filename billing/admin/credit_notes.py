"""Credit notes in the back-office: written over some lines, a part, or all that is left; afterwards only read."""

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.credit_forms import amount_field, read_minor
from billing.admin.pages import Question, Words, fill_form
from billing.admin.papers import CreditNotePaper
from billing.admin.reading import ReadOnly
from billing.admin.settlements import InvoiceForm, SettlementPages
from billing.credit_notes import (
    CREDITABLE,
    CreditRefused,
    find_room,
    issue_credit_note,
    list_left,
    preview_credit_note,
    read_left,
)
from billing.models import CreditDestination, CreditNote, CreditNoteLine, Invoice
from billing.wording import display_money

if TYPE_CHECKING:
    NoteModelAdmin = admin.ModelAdmin[CreditNote]
    NoteLineInlineBase = admin.TabularInline[CreditNoteLine, CreditNote]
else:
    NoteModelAdmin, NoteLineInlineBase = admin.ModelAdmin, admin.TabularInline

MAY_CREDIT = "billing.credit_invoice"
DESTINATIONS = {
    CreditDestination.DUE: _("taken off what is due (at most %(room)s)"),
    CreditDestination.BALANCE: _("granted as credit (at most %(room)s)"),
    CreditDestination.REFUND: _("refunded, which is paid elsewhere (at most %(room)s)"),
}


class CreditNoteForm(InvoiceForm):
    """Where it goes, and how much: by line, or an amount that is shared between the lines, or all that is left."""

    destination = forms.ChoiceField(label=_("how it is given back"))
    amount = amount_field(
        _("amount, with tax"),
        required=False,
        help_text=_("Shared between the lines in proportion. Empty: all that is left, or the lines below."),
    )
    reason = forms.CharField(label=_("reason"), max_length=200, help_text=_("The customer reads it."))
    once = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rooms = {each: find_room(self.invoice, each) for each in DESTINATIONS}
        self.fields["destination"].choices = [  # type: ignore[attr-defined]
            (each.value, text % {"room": self.show(self.rooms[each])})
            for each, text in DESTINATIONS.items()
            if self.rooms[each] > 0
        ]
        self.left = {line.position: line for line in list_left(self.invoice)}
        descriptions = dict(self.invoice.lines.values_list("position", "description"))
        for position, line in self.left.items():
            self.fields[f"line_{position}"] = amount_field(
                descriptions[position],
                required=False,
                help_text=gettext("%(amount)s of it can be given back.") % {"amount": self.show(line.total_minor)},
            )

    def list_general(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if not field.name.startswith("line_")]

    def list_lines(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if field.name.startswith("line_")]

    def show(self, minor: int) -> str:
        return display_money(minor, self.invoice.currency)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        lines = self.read_lines()
        values["lines"], values["amount_minor"] = lines or None, None
        if values.get("amount") is not None:
            values["amount_minor"] = read_minor(self, "amount", self.invoice.currency)
            if lines:
                self.add_error("amount", gettext("Either an amount that is shared, or amounts of lines."))
            elif not 0 < values["amount_minor"] <= read_left(self.invoice):
                left = self.show(read_left(self.invoice))
                text = gettext("Above zero, and at most the %(left)s that are left.")
                self.add_error("amount", text % {"left": left})
        return values

    def read_lines(self) -> dict[int, int]:
        """Position → amount of the lines that were filled in; what a line does not have is an error of its field."""
        found = {}
        for position, line in self.left.items():
            name = f"line_{position}"
            if self.cleaned_data.get(name):
                asked = read_minor(self, name, self.invoice.currency)
                if asked > line.total_minor:
                    left = self.show(line.total_minor)
                    self.add_error(name, gettext("At most the %(left)s that are left of it.") % {"left": left})
                found[position] = asked
        return found

    def read_terms(self) -> dict[str, Any]:
        values = self.cleaned_data
        return {name: values[name] for name in ("destination", "amount_minor", "lines")}


class CreditNotePages(SettlementPages):
    def list_tools(self, request: HttpRequest, row: Invoice) -> list[tuple[str, Words]]:
        tools = super().list_tools(request, row)
        if request.user.has_perm(MAY_CREDIT) and row.state in CREDITABLE and read_left(row) > 0:
            tools.append((reverse("admin:billing_invoice_credit_note", args=[row.pk]), _("Write a credit note")))
        return tools

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.credit_view)
        return [path("<int:invoice_id>/credit-note/", view, name="billing_invoice_credit_note"), *super().get_urls()]

    def credit_view(self, request: HttpRequest, invoice_id: int) -> HttpResponse:
        """How much of which line, then the note as it will be, then the note. Sent twice it is one."""
        invoice = self.find_invoice(request, invoice_id, MAY_CREDIT)
        data = request.POST if request.method == "POST" else None
        return fill_form(
            self,
            request,
            CreditNoteForm(data, invoice=invoice, initial={"once": uuid4()}),
            title=_("Write a credit note"),
            ask=ask_to_credit,
            act=partial(self.write_note, request),
            refusals=(CreditRefused,),
            subject=invoice,
            template="admin/billing/invoice/credit_note.html",
        )

    def write_note(self, request: HttpRequest, form: CreditNoteForm) -> HttpResponse:
        note = issue_credit_note(
            form.invoice.pk,
            **form.read_terms(),
            reason=form.cleaned_data["reason"],
            key=f"by hand {form.cleaned_data['once']}",
            at=timezone.now(),
            by=request.user.pk,
        )
        words = {"note": note.number, "amount": form.show(note.total_minor)}
        self.log_change(request, form.invoice, gettext("Credit note %(note)s over %(amount)s.") % words)
        self.message_user(request, gettext("%(note)s over %(amount)s is issued.") % words, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:billing_invoice_change", args=[form.invoice.pk]))


def ask_to_credit(form: CreditNoteForm) -> Question:
    """Each line with what is given back of it and the tax in that, then the sum. Raises CreditRefused."""
    lines = preview_credit_note(form.invoice.pk, **form.read_terms())
    descriptions = dict(form.invoice.lines.values_list("pk", "description"))
    terms: list[tuple[Words, Words]] = []
    for line in lines:
        parts = {"amount": form.show(line.total_minor), "tax": form.show(line.tax_minor)}
        text = gettext("%(amount)s, of which %(tax)s tax") if line.tax_minor else "%(amount)s"
        terms.append((descriptions[line.invoice_line_id], text % parts))
    terms.append((_("total"), form.show(sum(line.total_minor for line in lines))))
    terms.append((_("how it is given back"), CreditDestination(form.cleaned_data["destination"]).label))
    terms.append((_("reason"), form.cleaned_data["reason"]))
    words = {"invoice": form.invoice.number, "customer": form.invoice.customer_name}
    text = gettext("This is given back of invoice %(invoice)s of %(customer)s, for good:") % words
    return Question(text, _("Issue the credit note"), terms)


class NoteLineInline(ReadOnly, NoteLineInlineBase):
    model = CreditNoteLine
    readonly_fields = ["what", "net", "tax", "total"]
    fields = [*readonly_fields]
    ordering = ["pk"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditNoteLine]:
        return super().get_queryset(request).select_related("note__invoice", "invoice_line")

    @admin.display(description=_("line"))
    def what(self, line: CreditNoteLine) -> str:
        return f"{line.invoice_line.position}. {line.invoice_line.description}"

    @admin.display(description=_("without tax"))
    def net(self, line: CreditNoteLine) -> str:
        return display_money(line.subtotal_minor, line.note.invoice.currency)

    @admin.display(description=_("tax"))
    def tax(self, line: CreditNoteLine) -> str:
        return display_money(line.tax_minor, line.note.invoice.currency)

    @admin.display(description=_("total"))
    def total(self, line: CreditNoteLine) -> str:
        return display_money(line.total_minor, line.note.invoice.currency)


@admin.register(CreditNote)
class CreditNoteAdmin(ReadOnly, CreditNotePaper, NoteModelAdmin):
    """Written from the page of an invoice; here all of them are found."""

    list_display = ["number", "of_invoice", "customer", "total", "destination", "reason", "issued_at"]
    list_filter = ["destination"]
    list_select_related = ["invoice"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "issued_at"
    ordering = ["-issued_at", "-pk"]
    search_fields = ["number", "invoice__number", "invoice__customer_name", "reason"]
    search_help_text = _("Search in numbers, customers and reasons")
    readonly_fields = ["of_invoice", "customer", "net", "tax", "total"]
    fields = [
        "number", "of_invoice", "customer", "net", "tax", "total", "destination", "reason", "issued_at", "made_by",
    ]  # fmt: skip
    inlines = [NoteLineInline]

    @admin.display(description=_("invoice"), ordering="invoice__number")
    def of_invoice(self, note: CreditNote) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:billing_invoice_change", args=[note.invoice_id]), note.invoice
        )

    @admin.display(description=_("customer"), ordering="invoice__customer_name")
    def customer(self, note: CreditNote) -> str:
        return note.invoice.customer_name

    @admin.display(description=_("without tax"))
    def net(self, note: CreditNote) -> str:
        return display_money(note.subtotal_minor, note.invoice.currency)

    @admin.display(description=_("tax"))
    def tax(self, note: CreditNote) -> str:
        return display_money(note.tax_minor, note.invoice.currency)

    @admin.display(description=_("total"), ordering="total_minor")
    def total(self, note: CreditNote) -> str:
        return display_money(note.total_minor, note.invoice.currency)
