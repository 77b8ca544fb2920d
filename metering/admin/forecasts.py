"""Forecasts as they were made, and what came of them."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime, now
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from metering.admin.reading import ReadOnly
from metering.forecast import ForecastFact, read_forecasts, word_forecast, word_made, word_reason
from metering.forecast.facts import state_forecast
from metering.models import Forecast

if TYPE_CHECKING:
    ForecastModelAdmin = admin.ModelAdmin[Forecast]
else:
    ForecastModelAdmin = admin.ModelAdmin

SHOWN = 24


@admin.register(Forecast)
class ForecastAdmin(ReadOnly, ForecastModelAdmin):
    list_display = ["account", "meter", "made_at", "expected", "p_hit", "is_learning", "was_reached"]
    list_filter = ["meter", "is_learning", "was_reached"]
    list_select_related = ["account", "meter", "limit"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "made_at"
    ordering = ["-made_at", "-pk"]
    search_fields = ["account__key", "account__name"]
    search_help_text = _("Search in keys and names of accounts")
    fields = [
        "account", "meter", "limit", "epoch", "made_at", "expected", "why", "used", "quantity", "p_hit", "hit_low",
        "hit_mid", "hit_high", "total_low", "total_mid", "total_high", "run_rate_total", "days_of_data", "is_learning",
        "was_reached", "reached_at", "closing_total", "graded_at",
    ]  # fmt: skip

    @admin.display(description=_("expected"))
    def expected(self, forecast: Forecast) -> str:
        return word_forecast(state_forecast(forecast))

    @admin.display(description=_("why"))
    def why(self, forecast: Forecast) -> str:
        return word_reason(state_forecast(forecast)) or "–"


def show_expected(limit_id: int) -> tuple[str | SafeString, str | SafeString]:
    """Of a limit the sentence of its last forecast, and the table of the last ones; dashes where there is none."""
    facts = read_forecasts(limit_id, most=SHOWN)
    if not facts:
        return "–", "–"
    latest = facts[0]
    parts = [word_forecast(latest), word_reason(latest), word_made(latest, at=now())]
    heads = [gettext("made at"), gettext("expected"), gettext("why"), pgettext("of a window", "outcome")]
    table = format_html(
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>",
        format_html_join("", '<th scope="col">{}</th>', ((head,) for head in heads)),
        format_html_join("", '<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>', map(show_row, facts)),
    )
    return " · ".join(part for part in parts if part), table


def show_row(fact: ForecastFact) -> tuple[str, str, str, str]:
    outcome = "–"
    if fact.graded_at is not None:
        outcome = gettext("limit reached") if fact.was_reached else gettext("limit not reached")
    return f"{localtime(fact.made_at):%Y-%m-%d %H:%M}", word_forecast(fact), word_reason(fact), outcome
