"""Meter events: what each hour's usage was told to Stripe as, and what became of it."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from billing.admin.reading import ReadOnly
from billing.models import StripeMeterEvent
from metering.quantities import format_exact

if TYPE_CHECKING:
    UsageModelAdmin = admin.ModelAdmin[StripeMeterEvent]
else:
    UsageModelAdmin = admin.ModelAdmin


@admin.register(StripeMeterEvent)
class StripeMeterEventAdmin(ReadOnly, UsageModelAdmin):
    list_display = ["account", "meter", "starts_at", "value_text", "state", "error_code", "revision", "accepted_at"]
    list_display_links = ["starts_at"]
    list_filter = ["state", "meter", "error_code"]
    list_select_related = ["account", "meter"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "starts_at"
    ordering = ["-pk"]
    search_fields = ["account__key", "account__name", "=identifier", "=customer_id"]
    search_help_text = _("Search in accounts, and for an identifier or a customer of Stripe")
    fields = [
        "account", "meter", "period", "starts_at", "ends_at", "value_text", "revision", "part", "timestamp",
        "identifier", "event_name", "customer_id", "state", "error_code", "error_message", "attempts", "due_at",
        "unsure_since", "created_at", "accepted_at", "replaces",
    ]  # fmt: skip
    readonly_fields = ["value_text"]

    @admin.display(description=_("value"), ordering="value")
    def value_text(self, event: StripeMeterEvent) -> str:
        return format_exact(event.value, event.meter.unit)
