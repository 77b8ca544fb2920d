"""What alerts and forecasts were worth: a page for whoever may see alerts."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from metering.grading.charts import draw_calibration
from metering.grading.periods import list_last_days, start_day
from metering.grading.reports import QualityReport, read_report
from metering.grading.wording import (
    list_alert_columns,
    list_bin_columns,
    list_forecast_columns,
    show_share,
    word_advice,
    word_alerts,
    word_pending,
    word_skill,
    word_windows,
    write_alert_row,
    write_bin_row,
    write_forecast_row,
)
from metering.models import Meter

MOST_WINDOWS = 5_000  # that a page reads; `manage.py alert_report` reads all


class PeriodForm(forms.Form):
    """Which windows: those that ended within these days, of one meter or of all."""

    start = forms.DateField(label=_("Ended from"), widget=forms.DateInput(attrs={"type": "date"}))
    end = forms.DateField(label=_("and before"), widget=forms.DateInput(attrs={"type": "date"}))
    meter = forms.ModelChoiceField(
        Meter.objects.order_by("name"),
        label=_("Meter"),
        to_field_name="key",
        required=False,
        empty_label=_("all meters"),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("start"), cleaned.get("end")
        if start and end and start >= end:
            self.add_error("end", _("The second day must be after the first."))
        return cleaned


def answer_quality(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The filters are in the address: a page can be sent to a colleague. What they say wrong is said beside them."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    form = PeriodForm(fill_period(request))
    report = None
    if form.is_valid():
        asked = form.cleaned_data
        report = read_report(
            start=start_day(asked["start"]),
            end=start_day(asked["end"]),
            meter_key=asked["meter"].key if asked["meter"] else None,
            most=MOST_WINDOWS,
        )
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Forecast quality"),
        "opts": model_admin.opts,
        "form": form,
        **(show_report(report) if report else {}),
    }
    return TemplateResponse(request, "admin/metering/alert/quality.html", context)


def fill_period(request: HttpRequest) -> dict[str, str]:
    """What the address asks for, else the last days."""
    start, end = list_last_days(at=timezone.now())
    return {
        "start": request.GET.get("start") or f"{start:%Y-%m-%d}",
        "end": request.GET.get("end") or f"{end:%Y-%m-%d}",
        "meter": request.GET.get("meter", ""),
    }


def show_report(report: QualityReport) -> dict[str, Any]:
    total = report.total
    if total is None:
        return {"windows": word_windows(report), "pending": word_pending(report)}
    best = report.forecasts[0].score if report.forecasts else None
    return {
        "windows": word_windows(report),
        "has_figures": True,
        "figures": [
            (_("precision"), show_share(total.score.precision)),
            (_("recall"), show_share(total.score.recall)),
            (_("acted on"), show_share(total.score.acted_on)),
        ],
        "alerts": word_alerts(total.score),
        "alert_columns": list_alert_columns(),
        "alert_rows": [write_alert_row(row) for row in report.rules],
        "skill": word_skill(best) if best else "",
        "forecast_columns": list_forecast_columns(),
        "forecast_rows": [write_forecast_row(row.meter, row.score) for row in report.forecasts],
        "bin_columns": list_bin_columns(),
        "bin_rows": [write_bin_row(each) for each in best.bins] if best else [],
        "chart": draw_calibration(best.bins) if best else "",
        "advice": list(word_advice(report)),
    }
