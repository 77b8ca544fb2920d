"""Meters. What one counts, and how, is frozen once it has counted; a change is a new meter."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from metering.meters import save_meter
from metering.models import HourlyRollup, Meter

if TYPE_CHECKING:
    MeterModelAdmin = admin.ModelAdmin[Meter]
else:
    MeterModelAdmin = admin.ModelAdmin

FROZEN = ["key", "event_type", "aggregation", "value_property", "unit"]


@admin.register(Meter)
class MeterAdmin(MeterModelAdmin):
    list_display = ["name", "key", "event_type", "aggregation", "value_property", "unit", "is_used"]
    list_filter = ["aggregation"]
    ordering = ["key"]
    search_fields = ["key", "name", "event_type"]
    search_help_text = _("Search in keys, names and event types")
    fields = ["key", "name", "event_type", "aggregation", "value_property", "unit", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Meter]:
        used = Exists(HourlyRollup.objects.filter(meter_id=OuterRef("pk")))
        return super().get_queryset(request).annotate(has_counted=used)

    @admin.display(description=_("has counted"), boolean=True)
    def is_used(self, meter: Any) -> bool:
        return bool(meter.has_counted)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["created_at", *FROZEN] if obj is not None and obj.has_counted else ["created_at"]

    def save_model(self, request: HttpRequest, obj: Meter, form: Any, change: bool) -> None:
        if change:
            obj.save()
            return
        obj.created_at = timezone.now()
        save_meter(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and obj is not None and not obj.has_counted
