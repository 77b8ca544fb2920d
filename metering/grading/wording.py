"""The report in words and figures, for its page and its command alike. Every function follows the active language."""

from collections.abc import Iterator

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from metering.grading.reports import MeterName, QualityReport, RuleRow
from metering.grading.scores import Advice, AlertScore, Bin, ForecastScore, Share, Spread

NOTHING = "–"
AS_GOOD = 0.005  # a difference in error below half a percent is none


def list_alert_columns() -> list[str]:
    return [
        _("rule"),
        _("meter"),
        pgettext("alerts", "told"),
        pgettext("alerts that came true", "right"),
        pgettext("alerts that did not come true", "wrong"),
        _("at the limit"),
        _("precision"),
        _("limits reached"),
        _("missed"),
        _("recall"),
        _("lead in days"),
        _("of the window"),
        _("acted on"),
    ]


def write_alert_row(row: RuleRow) -> list[str]:
    score = row.score
    return [
        word_rule(row),
        word_meter(row.meter),
        show_count(score.told),
        show_count(score.early),
        show_count(score.false),
        show_count(score.at_limit),
        show_share(score.precision),
        show_count(score.recall.count),
        show_count(score.missed),
        show_share(score.recall),
        show_spread(score.lead_days),
        show_share_spread(score.lead_share),
        show_share(score.acted_on),
    ]


def list_forecast_columns() -> list[str]:
    return [
        _("meter"),
        _("forecasts"),
        _("Brier score"),
        _("of run-rate"),
        _("against run-rate"),
        _("totals in their range"),
        _("dates in their range"),
        _("date off by days"),
        _("of the window"),
    ]


def write_forecast_row(meter: MeterName | None, score: ForecastScore) -> list[str]:
    return [
        word_meter(meter),
        show_count(score.count),
        show_score(score.brier),
        show_score(score.run_rate_brier),
        word_skill(score),
        show_share(score.total_coverage),
        show_share(score.date_coverage),
        show_spread(score.date_error_days),
        show_share_spread(score.date_error_share),
    ]


def list_bin_columns() -> list[str]:
    return [_("said"), _("forecasts"), _("said on average"), _("limit reached"), _("95 % interval")]


def write_bin_row(each: Bin) -> list[str]:
    return [
        f"{show_percent(each.low)} – {show_percent(each.high)}",
        show_count(each.reached.count),
        show_percent(each.mean_chance),
        show_percent(each.reached.value),
        show_interval(each.reached),
    ]


def word_rule(row: RuleRow) -> str:
    if row.rule is None:
        return _("all rules")
    return row.rule or _("before there were rules")


def word_meter(meter: MeterName | None) -> str:
    return _("all meters") if meter is None else meter.name


def word_windows(report: QualityReport) -> str:
    """How much there is to judge by."""
    text = ngettext(
        "%(count)s limit ended in this time, %(reached)s of it reached.",
        "%(count)s limits ended in this time, %(reached)s of them reached.",
        report.windows,
    ) % {"count": show_count(report.windows), "reached": show_count(report.reached)}
    return " ".join([text, _("There were more: these are the latest.")]) if report.is_cut else text


def word_alerts(score: AlertScore) -> str:
    """What all alerts were worth, in one sentence or two."""
    early = ngettext(
        "%(count)s alert came before the limit was reached, %(wrong)s in vain.",
        "%(count)s alerts came before the limit was reached, %(wrong)s in vain.",
        score.early,
    ) % {"count": show_count(score.early), "wrong": show_count(score.false)}
    if score.lead_days is None:
        return early
    ahead = _("Half of the limits were told %(days)s days ahead or more.")
    return " ".join([early, ahead % {"days": show_decimal(score.lead_days.median)}])


def word_skill(score: ForecastScore) -> str:
    """By how much forecasts err less than run-rate."""
    skill = score.skill
    if skill is None:
        return NOTHING if score.brier is None else _("run-rate made no error")
    if abs(skill) < AS_GOOD:
        return _("as good as run-rate")
    if skill > 0:
        return _("%(percent)s better than run-rate") % {"percent": show_percent(skill)}
    return _("%(percent)s worse than run-rate") % {"percent": show_percent(-skill)}


def word_advice(report: QualityReport) -> Iterator[str]:
    """What threshold would have been best, and what the present one was worth on the same windows."""
    advice, alarm = report.advice, report.alarm
    if not advice.is_enough:
        yield word_too_few(advice)
        return
    if advice.best is None:
        yield _("No threshold would have kept %(target)s recall.") % {"target": show_percent(advice.target)}
    else:
        yield _("P ≥ %(threshold)s (%(runs)s) would have kept %(recall)s recall with a precision of %(precision)s.") % {
            "threshold": show_threshold(advice.best.threshold),
            "runs": word_runs(alarm.confirmations),
            "recall": show_percent(advice.best.recall.value),
            "precision": show_percent(advice.best.precision.value),
        }
    if advice.present is not None:
        yield _("P ≥ %(threshold)s, which is live, has %(recall)s recall with a precision of %(precision)s.") % {
            "threshold": show_threshold(alarm.p_on),
            "recall": show_percent(advice.present.recall.value),
            "precision": show_percent(advice.present.precision.value),
        }
    yield _("Found on these %(count)s windows themselves: of others it is advice, not a promise.") % {
        "count": show_count(advice.windows)
    }


def word_too_few(advice: Advice) -> str:
    return _(
        "Not enough windows to advise a threshold: %(windows)s with forecasts, %(reached)s of them reached. It takes "
        "%(enough)s and %(enough_reached)s."
    ) % {
        "windows": show_count(advice.windows),
        "reached": show_count(advice.reached),
        "enough": show_count(advice.enough_windows),
        "enough_reached": show_count(advice.enough_reached),
    }


def word_runs(confirmations: int) -> str:
    words = {1: _("once"), 2: _("twice")}
    return words.get(confirmations) or _("%(count)d times in a row") % {"count": confirmations}


def word_pending(report: QualityReport) -> str:
    """When the first figures come, where there are none."""
    pending = report.pending
    if pending.first_ends_at is None:
        return _("No limit is forecast yet. Forecasts begin once an account has a limit and usage.")
    return ngettext(
        "%(count)s limit is forecast that is not graded yet; the first such window ends on %(day)s.",
        "%(count)s limits are forecast that are not graded yet; the first such window ends on %(day)s.",
        pending.windows,
    ) % {"count": show_count(pending.windows), "day": date_format(pending.first_ends_at, "DATE_FORMAT")}


# Figures


def show_count(count: int) -> str:
    return number_format(count, force_grouping=True)


def show_percent(share: float | None) -> str:
    """Whole percent; what is below one in two hundred of all or nothing is not rounded to it."""
    if share is None:
        return NOTHING
    percent = min(max(round(share * 100), 1), 99) if 0 < share < 1 else round(share * 100)
    return _("%(number)s %%") % {"number": number_format(percent)}


def show_share(share: Share) -> str:
    return show_percent(share.value)


def show_interval(share: Share) -> str:
    interval = share.interval
    return NOTHING if interval is None else f"{show_percent(interval[0])} – {show_percent(interval[1])}"


def show_spread(spread: Spread | None) -> str:
    """The median, and the quartiles beside it."""
    if spread is None:
        return NOTHING
    return f"{show_decimal(spread.median)} ({show_decimal(spread.low)} – {show_decimal(spread.high)})"


def show_share_spread(spread: Spread | None) -> str:
    return NOTHING if spread is None else show_percent(spread.median)


def show_decimal(number: float) -> str:
    return number_format(round(number, 1), decimal_pos=1)


def show_score(score: float | None) -> str:
    return NOTHING if score is None else number_format(round(score, 3), decimal_pos=3)


def show_threshold(threshold: float) -> str:
    return number_format(round(threshold, 3), decimal_pos=2 if round(threshold, 2) == round(threshold, 3) else 3)
