"""The forms by which a meter is made, and by which what it counts is changed from an hour on."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime, AdminTextareaWidget, AdminTextInputWidget
from django.contrib.postgres.forms import SimpleArrayField
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from metering.meters import InvalidMeter, complete_percentile, require_valid
from metering.models import Meter, MeterVersion
from metering.previews import Preview, preview_terms

if TYPE_CHECKING:
    MeterModelForm = forms.ModelForm[Meter]
else:
    MeterModelForm = forms.ModelForm

IDENTITY = ["key", "unit", "aggregation", "percentile", "rounding", "rounding_places", "carries_over"]
TERMS = ["event_type", "value", "filter", "dimensions"]
PREVIEW = "_preview"


class FilterField(forms.JSONField):
    """JSON, and nothing at all where there is no filter."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


class TermsForm(forms.Form):
    """Which events a version counts, and for how much."""

    event_type = forms.CharField(
        label=_("Type of events"),
        max_length=120,
        widget=AdminTextInputWidget,
        help_text=_("The type of the events it counts, as their senders write it: api.request"),
    )
    value = forms.CharField(
        label=_("Value"),
        max_length=500,
        required=False,
        widget=AdminTextInputWidget,
        help_text=_(
            "What one event is worth: a property of its data (bytes, request.bytes) or arithmetic over several: "
            "ceil(ms / 1000). Empty for a count of events."
        ),
    )
    filter = FilterField(
        label=_("Filter"),
        required=False,
        widget=AdminTextareaWidget(attrs={"rows": 4}),
        help_text=_(
            'Which events of the type count, as JSON: {"property": "status", "op": "<", "value": 500}. Operators are '
            '= != in < <= > >= exists; several go into {"all": […]} or {"any": […]}. Empty: all of them.'
        ),
    )
    dimensions = SimpleArrayField(
        forms.CharField(max_length=120),
        label=_("Dimensions"),
        required=False,
        widget=AdminTextInputWidget,
        help_text=_("Properties to break the quantity down by, with commas between: region, plan.name. Five at most."),
    )

    def read_terms(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        return {name: cleaned.get(name) for name in TERMS} | {"dimensions": cleaned.get("dimensions") or []}

    def check_terms(self, meter: Meter) -> None:
        """Put what makes them no meter at the field that it is about."""
        version = MeterVersion(number=1, created_at=timezone.now(), **self.read_terms())
        try:
            require_valid(meter, version)
        except InvalidMeter as error:
            self.add_error(error.field if error.field in self.fields else None, str(error))

    def preview(self, aggregation: str) -> Preview:
        terms = self.read_terms()
        terms["dimensions"] = tuple(terms["dimensions"])
        return preview_terms(aggregation=aggregation, at=timezone.now(), **terms)


class NewMeterForm(TermsForm, MeterModelForm):
    """A meter with its first version. Asked for a preview, it is held back and `shown` is what it would count."""

    shown: Preview | None = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        cleaned["percentile"] = complete_percentile(cleaned.get("aggregation", ""), cleaned.get("percentile"))
        if not self.errors:
            identity = {name: cleaned.get(name) for name in IDENTITY}
            self.check_terms(Meter(created_at=timezone.now(), name=cleaned["name"], **identity))
        if not self.errors and PREVIEW in self.data:
            self.shown = self.preview(cleaned["aggregation"])
            raise forms.ValidationError(_("Nothing is saved yet."), "preview")
        return cleaned


class NewVersionForm(TermsForm):
    """Other terms from a full hour on."""

    starts_at = forms.SplitDateTimeField(
        label=_("From"),
        widget=AdminSplitDateTime,
        help_text=_("A full hour of UTC that lies ahead; what happened before it stays as it was counted."),
    )
    field_order = ["starts_at", *TERMS]

    def __init__(self, *args: Any, meter: Meter, **options: Any) -> None:
        super().__init__(*args, **options)
        self.meter = meter

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            self.check_terms(self.meter)
        return cleaned
