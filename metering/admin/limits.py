"""Limits with what is used of them, and the alerts they gave. Billing hands them over; nobody edits them here."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from metering.admin.notices import NoticeInline
from metering.admin.quality import answer_quality
from metering.admin.reading import ReadOnly
from metering.limits import state_limit
from metering.models import Alert, Limit
from metering.quantities import format_exact

if TYPE_CHECKING:
    LimitModelAdmin = admin.ModelAdmin[Limit]
    AlertModelAdmin = admin.ModelAdmin[Alert]
else:
    LimitModelAdmin = admin.ModelAdmin
    AlertModelAdmin = admin.ModelAdmin


@admin.register(Limit)
class LimitAdmin(ReadOnly, LimitModelAdmin):
    list_display = [
        "account",
        "meter",
        "used_text",
        "held_text",
        "quantity_text",
        "percent",
        "starts_at",
        "ends_at",
        "is_hard",
    ]
    list_filter = ["meter", "is_hard", ("closed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["account", "meter"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "starts_at"
    ordering = ["-starts_at", "account_id", "meter_id"]
    search_fields = ["account__key", "account__name"]
    search_help_text = _("Search in keys and names of accounts")
    fields = [
        "account", "meter", "starts_at", "ends_at", "quantity_text", "used_text", "held_text", "percent", "is_hard",
        "epoch", "closed_at",
    ]  # fmt: skip

    @admin.display(description=_("used"), ordering="used")
    def used_text(self, limit: Limit) -> str:
        return format_exact(limit.used, limit.meter.unit)

    @admin.display(description=_("held"), ordering="held")
    def held_text(self, limit: Limit) -> str:
        return format_exact(limit.held, limit.meter.unit) if limit.held else "–"

    @admin.display(description=_("limit"), ordering="quantity")
    def quantity_text(self, limit: Limit) -> str:
        return gettext("unlimited") if limit.quantity is None else format_exact(limit.quantity, limit.meter.unit)

    @admin.display(description=_("percent"))
    def percent(self, limit: Limit) -> str:
        percent = state_limit(limit).percent
        return "–" if percent is None else f"{percent} %"


@admin.register(Alert)
class AlertAdmin(ReadOnly, AlertModelAdmin):
    list_display = [
        "account", "meter", "level_text", "used_text", "quantity_text", "crossed_at", "detected_at", "state",
        "claimed_at",
    ]  # fmt: skip
    list_filter = ["level", "meter", "state", ("claimed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["account", "meter"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "detected_at"
    ordering = ["-detected_at", "-pk"]
    search_fields = ["account__key", "account__name"]
    search_help_text = _("Search in keys and names of accounts")
    inlines = [NoticeInline]
    fields = [
        "account", "meter", "level_text", "used_text", "quantity_text", "starts_at", "ends_at", "epoch", "crossed_at",
        "detected_at", "state", "claimed_at",
    ]  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        quality = self.admin_site.admin_view(lambda request: answer_quality(self, request))
        return [path("quality/", quality, name="metering_forecast_quality"), *super().get_urls()]

    @admin.display(description=_("level"), ordering="level")
    def level_text(self, alert: Alert) -> str:
        return f"{alert.level.normalize():f} %"

    @admin.display(description=_("used"), ordering="used")
    def used_text(self, alert: Alert) -> str:
        return format_exact(alert.used, alert.meter.unit)

    @admin.display(description=_("limit"), ordering="quantity")
    def quantity_text(self, alert: Alert) -> str:
        return format_exact(alert.quantity, alert.meter.unit)
