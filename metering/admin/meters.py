"""Meters. What one counts, and how, is frozen once it has counted; a change is a new meter."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.postgres.forms import SimpleArrayField
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from metering.meters import InvalidMeter, require_valid, save_meter
from metering.models import HourlyRollup, Meter, MeterVersion

if TYPE_CHECKING:
    MeterModelAdmin = admin.ModelAdmin[Meter]
    MeterModelForm = forms.ModelForm[Meter]
else:
    MeterModelAdmin = admin.ModelAdmin
    MeterModelForm = forms.ModelForm

IDENTITY = ["key", "unit", "aggregation", "percentile", "rounding", "rounding_places", "carries_over"]
TERMS = ["event_type", "value", "filter", "dimensions"]


class NewMeterForm(MeterModelForm):
    """A meter with its first version."""

    event_type = forms.CharField(max_length=120, help_text=_("The type of the events it counts."))
    value = forms.CharField(
        max_length=500, required=False, help_text=_("A property or arithmetic over properties: ceil(ms / 1000).")
    )
    filter = forms.JSONField(required=False, help_text=_("Which events count, as JSON; empty for all of the type."))
    dimensions = SimpleArrayField(
        forms.CharField(max_length=120), required=False, help_text=_("Properties to break it down by, by commas.")
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.version = MeterVersion(number=1, created_at=timezone.now(), **{name: cleaned.get(name) for name in TERMS})
        self.version.dimensions = self.version.dimensions or []
        if not self.errors:
            try:
                require_valid(self.instance_from(cleaned), self.version)
            except InvalidMeter as error:
                raise forms.ValidationError(str(error)) from error
        return cleaned

    def instance_from(self, cleaned: dict[str, Any]) -> Meter:
        return Meter(created_at=timezone.now(), name=cleaned["name"], **{name: cleaned.get(name) for name in IDENTITY})


@admin.register(Meter)
class MeterAdmin(MeterModelAdmin):
    list_display = ["name", "key", "aggregation", "unit", "is_used"]
    list_filter = ["aggregation"]
    ordering = ["key"]
    search_fields = ["key", "name", "versions__event_type"]
    search_help_text = _("Search in keys, names and event types")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["name", *IDENTITY, *([] if obj is not None else TERMS), "created_at"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewMeterForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Meter]:
        used = Exists(HourlyRollup.objects.filter(meter_id=OuterRef("pk")))
        return super().get_queryset(request).annotate(has_counted=used)

    @admin.display(description=_("has counted"), boolean=True)
    def is_used(self, meter: Any) -> bool:
        return bool(meter.has_counted)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["created_at", *IDENTITY] if obj is not None and obj.has_counted else ["created_at"]

    def save_model(self, request: HttpRequest, obj: Meter, form: Any, change: bool) -> None:
        if change:
            obj.save()
            return
        obj.created_at = timezone.now()
        save_meter(obj, form.version, at=obj.created_at)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and obj is not None and not obj.has_counted
