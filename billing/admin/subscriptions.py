"""Who is on which plan, who pays, and which taxes. Subscriptions are moved by billing's functions, once confirmed."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from billing import lifecycle
from billing.admin.pages import ask_first
from billing.admin.reading import PlainDecimalField, ReadOnly, list_sentences
from billing.models import BillingProfile, Invoice, Period, Subscription, SubscriptionChange, TaxRate
from billing.parts import MoveRefused
from billing.previews import InvoicePreview, NotSubscribed, preview_period
from billing.switching import preview_cancel
from billing.wording import display_money, explain_line

if TYPE_CHECKING:
    ProfileModelAdmin = admin.ModelAdmin[BillingProfile]
    SubscriptionModelAdmin = admin.ModelAdmin[Subscription]
    TaxRateModelAdmin = admin.ModelAdmin[TaxRate]
    PeriodTabularInline = admin.TabularInline[Period, Subscription]
    ChangeTabularInline = admin.TabularInline[SubscriptionChange, Subscription]
else:
    ProfileModelAdmin = admin.ModelAdmin
    SubscriptionModelAdmin = admin.ModelAdmin
    TaxRateModelAdmin = admin.ModelAdmin
    PeriodTabularInline = admin.TabularInline
    ChangeTabularInline = admin.TabularInline


class PeriodInline(ReadOnly, PeriodTabularInline):
    model = Period
    readonly_fields = ["starts_at", "ends_at", "closed_at", "documents"]
    fields = [*readonly_fields]
    ordering = ["-starts_at"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Period]:
        return super().get_queryset(request).prefetch_related(Prefetch("invoices", Invoice.objects.order_by("pk")))

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
class SubscriptionAdmin(ReadOnly, SubscriptionModelAdmin):
    list_display = ["account", "account_key", "version", "state", "started_at", "ended_at"]
    list_filter = ["state", "version__plan"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "started_at"
    ordering = ["-started_at", "-pk"]
    search_fields = ["account__key", "account__name", "version__plan__name"]
    search_help_text = _("Search in accounts and plans")
    inlines = [PeriodInline, ChangeInline]
    actions = ["pause", "resume", "cancel_now", "cancel_at_end", "undo_cancel", "end_trial"]
    readonly_fields = ["account_key", "cost_so_far"]
    fieldsets = [
        (None, {"fields": ["account", "account_key", "version", "state", "started_at", "anchor", "ended_at"]}),
        (_("What will happen"), {"fields": ["trial_ends_at", "next_version", "changes_at", "cancels_at"]}),
        (_("Period under way"), {"fields": ["cost_so_far"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return super().get_queryset(request).select_related("account", "version__plan")

    @admin.display(description=_("account key"), ordering="account__key")
    def account_key(self, subscription: Subscription) -> str:
        return subscription.account.key

    @admin.display(description=_("cost so far"))
    def cost_so_far(self, subscription: Subscription) -> SafeString | str:
        if subscription.ended_at is not None:
            return "–"
        try:
            preview = preview_period(account_id=subscription.account_id, at=timezone.now())
        except NotSubscribed:
            return "–"
        return describe_preview(preview)

    def has_move_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_subscription")

    @admin.action(description=_("Pause now"), permissions=["move"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        question = _("Their periods end now, and the unused part of the fees is given back:")
        return self.move_each(request, queryset, lifecycle.pause, question, "pause", gives_back=True)

    @admin.action(description=_("Resume now"), permissions=["move"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        question = _("They are billed again from now on:")
        return self.move_each(request, queryset, lifecycle.resume, question, "resume")

    @admin.action(description=_("End now"), permissions=["move"])
    def cancel_now(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        question = _("They end now. What was used is billed, and the unused part of the fees is given back:")
        return self.move_each(request, queryset, lifecycle.cancel, question, "cancel_now", gives_back=True)

    @admin.action(description=_("End with the period"), permissions=["move"])
    def cancel_at_end(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        question = _("They end with their periods, and nothing is given back:")
        return self.move_each(request, queryset, lifecycle.cancel_at_end, question, "cancel_at_end")

    @admin.action(description=_("Let go on what was to end"), permissions=["move"])
    def undo_cancel(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        return self.move_each(request, queryset, lifecycle.undo_cancel, _("They go on:"), "undo_cancel")

    @admin.action(description=_("End the trial now"), permissions=["move"])
    def end_trial(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> HttpResponse | None:
        return self.move_each(request, queryset, lifecycle.end_trial, _("They are billed from now on:"), "end_trial")

    def move_each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Subscription],
        move: Callable[..., object],
        question: Any,
        action: str,
        *,
        gives_back: bool = False,
    ) -> HttpResponse | None:
        """Ask first, with the money; then move each, and tell which could not be. The history says who did it."""
        chosen, at = queryset.order_by("pk"), timezone.now()
        if "confirmed" not in request.POST:
            rows = [(each, each.account, show_credit(each, at=at) if gives_back else "–") for each in chosen]
            return ask_first(self, request, rows, action=action, question=question)
        for each in chosen:
            try:
                move(each.pk, at=at, by=request.user.pk)
            except MoveRefused as error:
                self.message_user(request, f"{each}: {error}", messages.ERROR)
        return None


def show_credit(subscription: Subscription, *, at: datetime) -> str:
    """What of its fees would be given back; a dash where it has no period to end."""
    try:
        preview = preview_cancel(subscription.pk, at=at)
    except MoveRefused:
        return "–"
    return display_money(preview.net_minor, preview.currency)


def describe_preview(preview: InvoicePreview) -> SafeString:
    """Total, then each line with its reasons."""
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
    return format_html("<strong>{}</strong><dl>{}</dl>", display_money(preview.total_minor, preview.currency), lines)


@admin.register(BillingProfile)
class BillingProfileAdmin(ProfileModelAdmin):
    list_display = ["legal_name", "account", "email", "country", "time_zone"]
    list_filter = ["country"]
    list_select_related = ["account"]
    list_per_page = 50
    show_full_result_count = False
    ordering = ["legal_name", "pk"]
    search_fields = ["legal_name", "email", "tax_number", "account__key", "account__name"]
    search_help_text = _("Search in names, e-mail addresses, tax numbers and accounts")
    raw_id_fields = ["account"]
    filter_horizontal = ["tax_rates"]

    def get_readonly_fields(self, request: HttpRequest, obj: BillingProfile | None = None) -> list[str]:
        return ["account"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: BillingProfile | None = None) -> bool:
        """Without it no period could be closed."""
        return False


@admin.register(TaxRate)
class TaxRateAdmin(TaxRateModelAdmin):
    """A rate is made once; only its name can be mended. Profiles point at it, so none is removed."""

    list_display = ["name", "country", "percent", "is_inclusive"]
    list_filter = ["country", "is_inclusive"]
    search_fields = ["name", "country"]
    search_help_text = _("Search in names and countries")
    fields = ["name", "country", "percent", "is_inclusive"]
    formfield_overrides = {models.DecimalField: {"form_class": PlainDecimalField}}

    def get_readonly_fields(self, request: HttpRequest, obj: TaxRate | None = None) -> list[str]:
        return ["country", "percent", "is_inclusive"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: TaxRate | None = None) -> bool:
        return False
