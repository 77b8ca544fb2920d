"""The ledger of late usage: every change after an invoice, what was done about it, and the events behind it."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, Exists, F, OuterRef, Prefetch, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.reading import ReadOnly, list_sentences
from billing.late.ledger import describe_settlement, load_settlements
from billing.models import LATE_ACTIONS, LateChange, LateSettlement
from billing.wording import display_money, display_period, explain_late
from metering.late_events import LatePosition, UnknownAdjustment, list_late_events
from metering.quantities import format_exact

if TYPE_CHECKING:
    ChangeModelAdmin = admin.ModelAdmin[LateChange]
else:
    ChangeModelAdmin = admin.ModelAdmin

WAITING, NOBODY = "waiting", "nobody"


class OutcomeFilter(admin.SimpleListFilter):
    """By what was done about it: a change has the settlements of its batch that are about its meter."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(WAITING, _("waits")), *LATE_ACTIONS, (NOBODY, _("billed to nobody"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LateChange]) -> QuerySet[LateChange]:
        match self.value():
            case None:
                return queryset
            case "waiting":
                return queryset.filter(batch=None, invoice__isnull=False)
            case "nobody":
                return queryset.filter(invoice=None)
            case action:
                found = LateSettlement.objects.filter(
                    batch=OuterRef("batch"), invoice_line__meter=OuterRef("meter"), action=action
                )
                return queryset.filter(Exists(found))


@admin.register(LateChange)
class LateChangeAdmin(ReadOnly, ChangeModelAdmin):
    list_display = ["account", "meter", "period_text", "quantity_text", "cause", "counted_at", "outcome"]
    list_display_links = ["meter"]
    list_filter = ["cause", OutcomeFilter, "meter"]
    list_select_related = ["account", "meter", "invoice"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "period_start"
    ordering = ["-counted_at", "-pk"]
    search_fields = ["account__key", "account__name", "=invoice__number"]
    search_help_text = _("Search in keys and names of accounts, and for the number of an invoice")
    fields = ["account", "meter", "period_text", "quantity_text", "cause", "counted_at", "invoice_link", "outcome"]
    change_list_template = "admin/billing/latechange/change_list.html"
    change_form_template = "admin/billing/latechange/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[LateChange]:
        settled = Prefetch("batch__settlements", load_settlements())
        return super().get_queryset(request).prefetch_related(settled)

    @admin.display(description=_("period"), ordering="period_start")
    def period_text(self, change: LateChange) -> str:
        zone = change.invoice.time_zone if change.invoice else "UTC"
        return display_period(change.period_start, change.period_end, zone)

    @admin.display(description=_("changed by"), ordering="quantity")
    def quantity_text(self, change: LateChange) -> str:
        sign = "+" if change.quantity > 0 else ""
        return sign + format_exact(change.quantity, change.meter.unit)

    @admin.display(description=_("outcome"))
    def outcome(self, change: LateChange) -> SafeString | str:
        """Of all that was settled with it, what is about its meter."""
        if change.invoice is None:
            return gettext("billed to nobody")
        if change.batch is None:
            return gettext("waits")
        rows = [row for row in change.batch.settlements.all() if is_about(row, change)]
        return list_sentences(explain_late(describe_settlement(row)) for row in rows)

    @admin.display(description=_("invoice"))
    def invoice_link(self, change: LateChange) -> SafeString | str:
        if change.invoice is None:
            return "–"
        url = reverse("admin:billing_invoice_change", args=[change.invoice.pk])
        return format_html('<a href="{}">{}</a>', url, change.invoice)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With the sums over all that the filters leave, not of this page alone."""
        response = super().changelist_view(request, extra_context)
        changes = getattr(response, "context_data", {}).get("cl")
        if changes is not None:
            response.context_data["totals"] = list_totals(changes.queryset)  # type: ignore[attr-defined]
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With a page of its events; `source` and `id` say after which one it begins."""
        change = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if change is not None and self.has_view_permission(request, change):
            context |= show_events(change, read_position(request))
        return super().change_view(request, object_id, form_url, context)


def is_about(row: LateSettlement, change: LateChange) -> bool:
    return row.invoice_line is not None and row.invoice_line.meter_id == change.meter_id


def list_totals(changes: QuerySet[LateChange]) -> list[tuple[str, int, str]]:
    """What was done, how often, and what it comes to, by currency; then what waits. Three statements."""
    found = changes.order_by().filter(batch=OuterRef("batch"), meter=OuterRef("invoice_line__meter"))
    settled = LateSettlement.objects.filter(Exists(found)).order_by()
    sums = settled.values("action", currency=F("batch__invoice__currency")).annotate(
        count=Count("pk"), asked=Sum("item__amount_minor", default=0), difference=Sum("difference_minor")
    )
    actions = dict(LATE_ACTIONS)
    rows = [
        (
            str(actions[each["action"]]),
            each["count"],
            display_money(each["difference" if each["action"] == "waive" else "asked"], each["currency"]),
        )
        for each in sums.order_by("currency", "action")
    ]
    for label, waiting in (
        (gettext("waits"), changes.filter(batch=None, invoice__isnull=False)),
        (gettext("billed to nobody"), changes.filter(invoice=None)),
    ):
        rows.append((label, waiting.order_by().count(), "–"))
    return rows


def read_position(request: HttpRequest) -> LatePosition:
    """After which event the page begins; the database takes no text with a NUL."""
    source, event_id = (request.GET.get(name, "").replace("\0", "") for name in ("source", "id"))
    return LatePosition(source, event_id)


def show_events(change: LateChange, after: LatePosition) -> dict[str, Any]:
    try:
        page = list_late_events(change.adjustment_id, after=after)
    except UnknownAdjustment:
        return {"late_events": [], "next_events": "", "is_first": True}
    return {
        "late_events": [
            (late.event, late.count.value, late.count.dimensions, late.event.correction) for late in page.events
        ],
        "next_events": urlencode({"source": page.next.source, "id": page.next.id}) if page.next else "",
        "is_first": after == ("", ""),
    }
