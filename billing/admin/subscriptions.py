"""Who is on which plan. Subscriptions are moved by billing's functions alone, once confirmed."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from billing.admin.enrolments import EnrolmentPages
from billing.admin.holdings import HoldingPages, describe_add_ons
from billing.admin.plan_changes import PlanChangePages
from billing.admin.reading import ReadOnly, list_sentences
from billing.lines import TOO_MUCH
from billing.models import WAITS, Invoice, Period, Subscription, SubscriptionChange
from billing.previews import InvoicePreview, NotSubscribed, preview_period
from billing.subscriptions import read_subscription
from billing.wording import display_money, explain_line

if TYPE_CHECKING:
    SubscriptionModelAdmin = admin.ModelAdmin[Subscription]
    PeriodTabularInline = admin.TabularInline[Period, Subscription]
    ChangeTabularInline = admin.TabularInline[SubscriptionChange, Subscription]
else:
    SubscriptionModelAdmin = admin.ModelAdmin
    PeriodTabularInline = admin.TabularInline
    ChangeTabularInline = admin.TabularInline


class PeriodInline(ReadOnly, PeriodTabularInline):
    model = Period
    readonly_fields = ["starts_at", "ends_at", "seats_and_add_ons", "closed_at", "documents"]
    fields = [*readonly_fields]
    ordering = ["-starts_at"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Period]:
        return super().get_queryset(request).prefetch_related(Prefetch("invoices", Invoice.objects.order_by("pk")))

    @admin.display(description=_("seats and add-ons"))
    def seats_and_add_ons(self, period: Period) -> str:
        return ", ".join([str(period.quantity), *(f"{count} × {key}" for key, count in period.held.add_ons)])

    @admin.display(description=_("invoice"))
    def documents(self, period: Period) -> SafeString | str:
        links = (
            (reverse("admin:billing_invoice_change", args=[invoice.pk]), invoice, invoice.get_state_display())
            for invoice in period.invoices.all()
        )
        return format_html_join(", ", '<a href="{}">{}</a> ({})', links) or "–"


class ChangeInline(ReadOnly, ChangeTabularInline):
    model = SubscriptionChange
    readonly_fields = ["move", "before", "after", "at", "made_by"]
    fields = [*readonly_fields]
    ordering = ["-pk"]
    extra = 0


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnly, EnrolmentPages, PlanChangePages, HoldingPages, SubscriptionModelAdmin):
    list_display = ["account", "account_key", "version", "state", "started_at", "ended_at"]
    list_filter = ["state", "version__plan"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "started_at"
    ordering = ["-started_at", "-pk"]
    search_fields = ["account__key", "account__name", "version__plan__name"]
    search_help_text = _("Search in accounts and plans")
    inlines = [PeriodInline, ChangeInline]
    readonly_fields = ["account_key", "had_add_ons", "cost_so_far", "waiting"]
    fieldsets = [
        (None, {"fields": ["account", "account_key", "version", "state", "started_at", "anchor", "ended_at"]}),
        (_("Seats and add-ons"), {"fields": ["quantity", "next_quantity", "quantity_at", "had_add_ons"]}),
        (_("What will happen"), {"fields": ["trial_ends_at", "next_version", "changes_at", "cancels_at"]}),
        (_("Period under way"), {"fields": ["cost_so_far", "waiting"]}),
    ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.add_subscription")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return super().get_queryset(request).select_related("account", "version__plan")

    @admin.display(description=_("account key"), ordering="account__key")
    def account_key(self, subscription: Subscription) -> str:
        return subscription.account.key

    @admin.display(description=_("add-ons"))
    def had_add_ons(self, subscription: Subscription) -> SafeString | str:
        return describe_add_ons(subscription, at=timezone.now())

    @admin.display(description=_("cost so far"))
    def cost_so_far(self, subscription: Subscription) -> SafeString | str:
        at = timezone.now()
        main = read_subscription(account_id=subscription.account_id, at=at)
        if main is None or main.id != subscription.pk:
            return "–"
        try:
            return describe_preview(preview_period(account_id=subscription.account_id, at=at))
        except NotSubscribed:
            return "–"
        except TOO_MUCH as error:
            return str(error)

    @admin.display(description=_("waits for the next invoice"))
    def waiting(self, subscription: Subscription) -> SafeString:
        """Items that no invoice has billed yet."""
        items = subscription.items.filter(WAITS).order_by("pk")
        return list_sentences(f"{item}: {display_money(item.amount_minor, item.currency)}" for item in items)


def describe_preview(preview: InvoicePreview) -> SafeString:
    """Total, then each line with its reasons, and what of the total is discount, tax and credit."""
    lines = format_html_join(
        "",
        "<dt>{}: {}</dt><dd>{}</dd>",
        (
            (
                line.description,
                display_money(line.amount_minor, preview.currency),
                list_sentences(explain_line(line, preview.currency)),
            )
            for line in preview.lines
        ),
    )
    parts = (
        (_("Discounts"), -preview.sums.discount_minor),
        (_("Taxes"), preview.sums.tax_minor),
        (_("Credit would pay"), -preview.credited_minor),
    )
    sums = format_html_join(
        "", "<dt>{}: {}</dt>", ((name, display_money(amount, preview.currency)) for name, amount in parts if amount)
    )
    total = display_money(preview.total_minor, preview.currency)
    return format_html("<strong>{}</strong><dl>{}{}</dl>", total, lines, sums)
