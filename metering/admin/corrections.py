"""What was corrected, and what that and late usage changed in windows that were closed. Read, never edited."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from metering.admin.reading import ReadOnly
from metering.models import Adjustment, Correction
from metering.quantities import format_exact

if TYPE_CHECKING:
    AdjustmentModelAdmin = admin.ModelAdmin[Adjustment]
    CorrectionModelAdmin = admin.ModelAdmin[Correction]
else:
    AdjustmentModelAdmin = admin.ModelAdmin
    CorrectionModelAdmin = admin.ModelAdmin


@admin.register(Adjustment)
class AdjustmentAdmin(ReadOnly, AdjustmentModelAdmin):
    list_display = ["account", "meter", "quantity_text", "cause", "starts_at", "ends_at", "made_at"]
    list_filter = ["cause", "meter"]
    list_select_related = ["account", "meter"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "made_at"
    ordering = ["-made_at", "-pk"]
    search_fields = ["account__key", "account__name"]
    search_help_text = _("Search in keys and names of accounts")
    fields = ["account", "meter", "quantity_text", "cause", "starts_at", "ends_at", "limit", "made_at"]

    @admin.display(description=_("changed by"), ordering="quantity")
    def quantity_text(self, adjustment: Adjustment) -> str:
        sign = "+" if adjustment.quantity > 0 else ""
        return sign + format_exact(adjustment.quantity, adjustment.meter.unit)


@admin.register(Correction)
class CorrectionAdmin(ReadOnly, CorrectionModelAdmin):
    list_display = ["source", "event_id", "kind", "replacement_id", "account", "reason", "made_by", "made_at"]
    list_filter = ["kind"]
    list_select_related = ["account"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "made_at"
    ordering = ["-made_at", "-pk"]
    search_fields = ["=event_id", "=replacement_id", "account__key", "reason"]
    search_help_text = _("Search for an event's id, and in keys of accounts and reasons")
    fields = [
        "source", "event_id", "account", "kind", "replacement_source", "replacement_id", "reason", "made_by", "made_at",
    ]  # fmt: skip
