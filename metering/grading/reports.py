"""The report on forecast quality: every rule's alerts and every meter's forecasts over windows that are over."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from metering.catalogue import UnknownMeter
from metering.grading.samples import (
    GradedAlert,
    GradedWindow,
    Pending,
    count_pending,
    read_alerts,
    read_forecasts,
    read_strengths,
    read_windows,
)
from metering.grading.scores import (
    Advice,
    AlertScore,
    ForecastScore,
    ForecastSums,
    advise_threshold,
    score_alerts,
)
from metering.models import AlertKind, AlertRule, Meter


class MeterName(NamedTuple):
    key: str
    name: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule, or all of them where it has no name, on one meter, or on all where there is none."""

    rule: str | None
    kind: str
    meter: MeterName | None
    score: AlertScore


@dataclass(frozen=True, slots=True)
class ForecastRow:
    meter: MeterName | None
    score: ForecastScore


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """When a forecast raises an alarm for everybody: from this chance on, in so many runs."""

    p_on: float
    confirmations: int


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Over `windows` that had a limit and ended in [start, end), of which `reached` came to it.

    Rows come in the order in which they are read: all rules first, of each rule all meters first. `is_cut` says that
    there were more windows than were asked for.
    """

    start: datetime
    end: datetime
    windows: int
    reached: int
    is_cut: bool
    rules: tuple[RuleRow, ...]
    forecasts: tuple[ForecastRow, ...]
    alarm: AlarmRule
    advice: Advice
    pending: Pending

    @property
    def total(self) -> RuleRow | None:
        return self.rules[0] if self.rules else None


def read_report(
    *, start: datetime, end: datetime, meter_key: str | None = None, most: int | None = None
) -> QualityReport:
    """Windows of one meter, or of all, that ended in [start, end); of more than `most` the latest.

    Seven statements, whatever there is to report. Raises UnknownMeter; ValueError where start is not before end.
    """
    if start >= end:
        raise ValueError("a report ends after it starts")
    if meter_key is not None and not Meter.objects.filter(key=meter_key).exists():
        raise UnknownMeter(f"No meter is called {meter_key!r}.")
    found = read_windows(start=start, end=end, meter_key=meter_key, most=None if most is None else most + 1)
    windows = found[:most]
    limit_ids = [window.limit_id for window in windows]
    meters = {window.meter_id: MeterName(window.meter_key, window.meter_name) for window in windows}
    alarm = find_alarm_rule()
    return QualityReport(
        start=start,
        end=end,
        windows=len(windows),
        reached=sum(window.was_reached for window in windows),
        is_cut=len(found) > len(windows),
        rules=tuple(list_rule_rows(read_alerts(limit_ids), windows, meters)),
        forecasts=tuple(list_forecast_rows(limit_ids, meters)),
        alarm=alarm,
        advice=advise_threshold(read_strengths(limit_ids, confirmations=alarm.confirmations), present=alarm.p_on),
        pending=count_pending(),
    )


def find_alarm_rule() -> AlarmRule:
    """Of the live rules on forecasts that for everybody; without one, what a new rule says."""
    live = AlertRule.objects.filter(rule_set__is_live=True, kind=AlertKind.FORECAST, account=None, plan="", meter=None)
    rule = live.order_by("-is_enabled", "pk").first() or AlertRule()
    return AlarmRule(float(rule.p_on), rule.confirmations)


def list_rule_rows(
    alerts: Sequence[GradedAlert], windows: Sequence[GradedWindow], meters: dict[int, MeterName]
) -> Iterable[RuleRow]:
    """All rules and each, over all meters and, where there are several, over each."""
    if not windows:
        return
    reached = find_reached(alerts, windows)
    told = [alert for alert in alerts if alert.is_told]
    rules = sorted({(alert.rule, alert.kind) for alert in told})
    order = sorted(meters, key=lambda meter_id: meters[meter_id].key)
    for rule, kind in [(None, ""), *rules]:
        mine = [alert for alert in told if rule is None or (alert.rule, alert.kind) == (rule, kind)]
        every = set().union(*reached.values())
        yield RuleRow(rule, kind, None, score_alerts([alert.told for alert in mine], every))
        for meter_id in order if len(order) > 1 else ():
            of_meter = [alert.told for alert in mine if alert.meter_id == meter_id]
            yield RuleRow(rule, kind, meters[meter_id], score_alerts(of_meter, reached[meter_id]))


def find_reached(
    alerts: Iterable[GradedAlert], windows: Iterable[GradedWindow]
) -> defaultdict[int, set[tuple[int, int]]]:
    """By meter the windows that came to their limit: the last one, or one before it that was changed then."""
    reached: defaultdict[int, set[tuple[int, int]]] = defaultdict(set)
    for window in windows:
        if window.was_reached:
            reached[window.meter_id].add(window.key)
    for alert in alerts:
        if alert.is_at_limit:
            reached[alert.meter_id].add(alert.told.window)
    return reached


def list_forecast_rows(limit_ids: Sequence[int], meters: dict[int, MeterName]) -> Iterable[ForecastRow]:
    """All meters and, where there are several, each that has forecasts."""
    total, sums = ForecastSums(), defaultdict[int, ForecastSums](ForecastSums)
    for meter_id, forecast in read_forecasts(limit_ids):
        total.add(forecast)
        sums[meter_id].add(forecast)
    if total.count:
        yield ForecastRow(None, total.score())
    if len(sums) > 1:
        for meter_id in sorted(sums, key=lambda meter_id: meters[meter_id].key):
            yield ForecastRow(meters[meter_id], sums[meter_id].score())
