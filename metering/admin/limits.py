"""Limits with what is used of them. Billing hands them over; nobody edits them here."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from metering.admin.forecasts import show_expected
from metering.admin.reading import ReadOnly
from metering.limits import state_limit
from metering.models import Limit
from metering.quantities import format_exact

if TYPE_CHECKING:
    LimitModelAdmin = admin.ModelAdmin[Limit]
else:
    LimitModelAdmin = admin.ModelAdmin


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
        "epoch", "closed_at", "expected", "forecasts",
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

    @admin.display(description=_("expected"))
    def expected(self, limit: Limit) -> str:
        sentence, _table = show_expected(limit.pk)
        return sentence

    @admin.display(description=_("last forecasts"))
    def forecasts(self, limit: Limit) -> str:
        _sentence, table = show_expected(limit.pk)
        return table
