"""What the lead page shows: why we call, the facts as they were beside the facts as they are, and what to offer."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from billing.subscriptions import read_subscription
from crm.evidence import Evidence, Headline, find_cost, find_offer, find_reading_end, restore_alert
from crm.expected import find_expected
from crm.frozen import thaw_evidence
from crm.kinds import KINDS
from crm.lead_rows import LiveView, Row, give_advice, list_cost_lines, list_rows, say_share
from crm.models import Lead, Signal
from crm.priorities import find_rank
from crm.signals import strongest_signal
from crm.snoozing import find_snooze
from crm.timeline import Entry, list_entries
from crm.words import OF_LIMITS, say_snooze, say_why
from metering.alerts import AlertFact, read_alerts
from metering.charts import draw_usage_chart
from metering.limits import LimitReading, read_limits
from metering.notices.words import say_recovery, word_alert
from metering.usage import read_series


@dataclass(frozen=True, slots=True)
class LimitBar:
    """How far one limit is used; `filled` is whole percents up to 100, None when there is no limit."""

    meter_name: str
    share: str
    filled: int | None


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One alert that joined the lead, and what has become of it."""

    title: str
    kind: str
    severity: str
    at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class LeadPage:
    why: str
    told: str
    seen_at: datetime
    frozen_chart: SafeString | None
    live_chart: SafeString | None
    rows: list[Row]
    cost_lines: list[tuple[str, str]]
    advice: str
    signals: list[SignalRow]
    quiet: str
    limits: list[LimitBar]
    entries: list[Entry]


def build_page(lead: Lead, *, at: datetime) -> LeadPage | None:
    """None for a lead without any signal, which is no lead the code has opened."""
    signal = strongest_signal(lead.pk)
    if signal is None:
        return None
    evidence = thaw_evidence(signal.evidence)
    limits = read_limits(account_id=lead.account_id, at=at)
    live = look_again(lead.account_id, evidence.headline, limits, at=at)
    return LeadPage(
        why=say_why(refresh_headline(evidence.headline, live), at=at),
        told=word_alert(restore_alert(evidence.headline)).sentence,
        seen_at=evidence.frozen_at,
        frozen_chart=draw_frozen_chart(evidence),
        live_chart=draw_live_chart(lead.account_id, live, evidence.time_zone, at=at),
        rows=list_rows(evidence, live, at=at),
        cost_lines=list_cost_lines(live.cost or evidence.cost),
        advice=give_advice(evidence, live),
        signals=list_signal_rows(lead.pk),
        quiet=say_snooze(find_snooze(lead, at=at), zone=evidence.time_zone),
        limits=[draw_bar(limit) for limit in limits],
        entries=list_entries(lead.pk),
    )


def look_again(account_id: int, headline: Headline, limits: list[LimitReading], *, at: datetime) -> LiveView:
    subscription = read_subscription(account_id=account_id, at=at)
    limit = next((limit for limit in limits if limit.meter_key == headline.meter_key), None)
    return LiveView(
        limit=limit,
        expected=find_expected(limit.limit_id) if limit else None,
        subscription=subscription,
        cost=find_cost(subscription) if subscription else None,
        offer=find_offer(subscription, meter_key=headline.meter_key, at=at) if subscription else None,
    )


def refresh_headline(headline: Headline, live: LiveView) -> Headline:
    """The same window with today's figures; as it was seen once that window is over or no longer limited."""
    limit = live.limit
    if limit is None or limit.quantity is None or limit.percent is None or limit.start != headline.start:
        return headline
    if headline.kind not in OF_LIMITS:
        return headline
    chance = live.expected.chance if live.expected else headline.p_hit
    return replace(headline, used=limit.used, quantity=limit.quantity, percent=limit.percent, p_hit=chance)


def list_signal_rows(lead_id: int) -> list[SignalRow]:
    """The latest first."""
    signals = dict(Signal.objects.filter(lead_id=lead_id).values_list("alert_id", "is_cooled"))
    return [
        SignalRow(
            title=word_alert(alert).title,
            kind=str(KINDS[alert.kind]),
            severity=str(find_rank(alert).label),
            at=alert.detected_at,
            state=say_alert_state(alert, is_cooled=signals[alert.id]),
        )
        for alert in sorted(read_alerts(signals).values(), key=lambda alert: alert.id, reverse=True)
    ]


def say_alert_state(alert: AlertFact, *, is_cooled: bool) -> str:
    """What has become of it, and what a reader must know to believe it."""
    state = say_recovery(alert) or _("It stands.")
    cooled = [_("It came soon after the lead was lost.")] if is_cooled else []
    return " ".join([state, *cooled, *word_alert(alert).notes])


def draw_frozen_chart(evidence: Evidence) -> SafeString | None:
    """None without a meter, of which there would be something to draw. Only a limit is drawn as one."""
    headline = evidence.headline
    if not headline.meter_key:
        return None
    return draw_usage_chart(
        evidence.hours,
        quantity=headline.quantity if headline.kind in OF_LIMITS else None,
        start=headline.start,
        end=headline.end,
        at=evidence.frozen_at,
        title=_("%(meter)s when the lead was opened or joined") % {"meter": headline.meter_name},
        unit=headline.unit,
        time_zone=evidence.time_zone,
    )


def draw_live_chart(account_id: int, live: LiveView, time_zone: str, *, at: datetime) -> SafeString | None:
    limit = live.limit
    if limit is None:
        return None
    until = find_reading_end(limit.start, limit.resets_at, at=at)
    points = read_series(
        account_id=account_id, meter_key=limit.meter_key, start=limit.start, end=until, bucket="hour", time_zone="UTC"
    )
    return draw_usage_chart(
        points,
        quantity=limit.quantity,
        start=limit.start,
        end=limit.resets_at,
        at=at,
        title=_("%(meter)s now") % {"meter": limit.meter_name},
        unit=limit.unit,
        time_zone=time_zone,
    )


def draw_bar(limit: LimitReading) -> LimitBar:
    filled = None if limit.percent is None else min(int(limit.percent), 100)
    return LimitBar(limit.meter_name, say_share(limit) if limit.percent is not None else _("unlimited"), filled)
