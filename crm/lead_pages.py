"""What the lead page shows: why we call, the facts as they were beside the facts as they are, and what to offer."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from billing.subscriptions import SubscriptionFact, read_subscription
from billing.wording import display_amount, display_money
from crm.evidence import Cost, Evidence, Headline, Offer, find_cost, find_offer, find_reading_end, state_plan
from crm.frozen import thaw_evidence
from crm.models import Lead
from crm.signals import strongest_signal
from crm.timeline import Entry, list_entries
from crm.words import say_percent, say_quantity, say_reset, say_why
from metering.charts import draw_usage_chart
from metering.limits import LimitReading, find_percent, read_limits
from metering.usage import read_series

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One fact, then and now."""

    label: str
    then: str
    now: str


@dataclass(frozen=True, slots=True)
class LimitBar:
    """How far one limit is used; `filled` is whole percents up to 100, None when there is no limit."""

    meter_name: str
    share: str
    filled: int | None


@dataclass(frozen=True, slots=True)
class LeadPage:
    why: str
    seen_at: datetime
    frozen_chart: SafeString
    live_chart: SafeString | None
    rows: list[Row]
    cost_lines: list[tuple[str, str]]
    advice: str
    limits: list[LimitBar]
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class LiveView:
    """The same questions as the frozen evidence, asked again now. No limit: the meter is not watched any more."""

    limit: LimitReading | None
    subscription: SubscriptionFact | None
    cost: Cost | None
    offer: Offer | None


def build_page(lead: Lead, *, at: datetime) -> LeadPage | None:
    """None for a lead without any signal, which is no lead the code has opened."""
    signal = strongest_signal(lead.pk)
    if signal is None:
        return None
    evidence = thaw_evidence(signal.evidence)
    limits = read_limits(account_id=lead.account_id, at=at)
    live = look_again(lead.account_id, evidence.headline, limits, at=at)
    return LeadPage(
        why=say_why(refresh_headline(evidence.headline, live.limit), at=at),
        seen_at=evidence.frozen_at,
        frozen_chart=draw_frozen_chart(evidence),
        live_chart=draw_live_chart(lead.account_id, live, evidence.time_zone, at=at),
        rows=list_rows(evidence, live, at=at),
        cost_lines=list_cost_lines(live.cost or evidence.cost),
        advice=give_advice(evidence, live),
        limits=[draw_bar(limit) for limit in limits],
        entries=list_entries(lead.pk),
    )


def look_again(account_id: int, headline: Headline, limits: list[LimitReading], *, at: datetime) -> LiveView:
    subscription = read_subscription(account_id=account_id, at=at)
    return LiveView(
        limit=next((limit for limit in limits if limit.meter_key == headline.meter_key), None),
        subscription=subscription,
        cost=find_cost(subscription) if subscription else None,
        offer=find_offer(subscription, meter_key=headline.meter_key, at=at) if subscription else None,
    )


def refresh_headline(headline: Headline, limit: LimitReading | None) -> Headline:
    """The same window with today's figures; as it was seen once that window is over or no longer limited."""
    if limit is None or limit.quantity is None or limit.percent is None or limit.start != headline.start:
        return headline
    return replace(headline, used=limit.used, quantity=limit.quantity, percent=limit.percent)


def draw_frozen_chart(evidence: Evidence) -> SafeString:
    headline = evidence.headline
    return draw_usage_chart(
        evidence.hours,
        quantity=headline.quantity,
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


def list_rows(evidence: Evidence, live: LiveView, *, at: datetime) -> list[Row]:
    headline, limit = evidence.headline, live.limit
    plan_now = state_plan(live.subscription) if live.subscription else None
    return [
        Row(_("Used"), say_quantity(headline.used, headline.unit), say_used(limit)),
        Row(_("Limit"), say_quantity(headline.quantity, headline.unit), say_limit(limit)),
        Row(_("Share"), say_percent(headline.percent), say_share(limit)),
        Row(
            _("Reset"),
            say_reset(headline.end, at=evidence.frozen_at),
            say_reset(limit.resets_at, at=at) if limit else NOTHING,
        ),
        Row(_("Plan"), evidence.plan.name if evidence.plan else NOTHING, plan_now.name if plan_now else NOTHING),
        Row(_("Cost so far"), say_cost(evidence.cost), say_cost(live.cost)),
        Row(_("Next plan"), say_offer(evidence.offer, headline.unit), say_offer(live.offer, headline.unit)),
    ]


def say_used(limit: LimitReading | None) -> str:
    return say_quantity(limit.used, limit.unit) if limit else NOTHING


def say_limit(limit: LimitReading | None) -> str:
    if limit is None:
        return NOTHING
    return _("unlimited") if limit.quantity is None else say_quantity(limit.quantity, limit.unit)


def say_share(limit: LimitReading | None) -> str:
    return NOTHING if limit is None or limit.percent is None else say_percent(limit.percent)


def say_cost(cost: Cost | None) -> str:
    return display_money(cost.total_minor, cost.currency) if cost else NOTHING


def say_offer(offer: Offer | None, unit: str) -> str:
    """`Large: 5,000 for €99.00`."""
    if offer is None:
        return _("none above it")
    allowed = _("unlimited") if offer.limit is None else say_quantity(offer.limit, unit)
    fee = sum((fee.amount for fee in offer.fees), start=Decimal(0))
    return _("%(plan)s: %(allowed)s for %(fee)s") % {
        "plan": offer.name,
        "allowed": allowed,
        "fee": display_amount(fee, offer.currency),
    }


def draw_bar(limit: LimitReading) -> LimitBar:
    filled = None if limit.percent is None else min(int(limit.percent), 100)
    return LimitBar(limit.meter_name, say_share(limit) if limit.percent is not None else _("unlimited"), filled)


def list_cost_lines(cost: Cost | None) -> list[tuple[str, str]]:
    return [(line.description, display_money(line.amount_minor, cost.currency)) for line in cost.lines] if cost else []


def give_advice(evidence: Evidence, live: LiveView) -> str:
    """What the next plan would give, with today's figures; with the frozen ones when there are none any more."""
    offer, cost = (live.offer, live.cost) if live.subscription else (evidence.offer, evidence.cost)
    if offer is None:
        return _("There is no larger plan to offer.") if live.subscription or evidence.plan else ""
    used = live.limit.used if live.limit else evidence.headline.used
    sentences = [say_room(offer, used, evidence.headline)]
    if offer.cost_minor is not None and cost is not None:
        sentences.append(
            _("This period's usage so far would cost %(there)s there, against %(here)s today.")
            % {"there": display_money(offer.cost_minor, offer.currency), "here": say_cost(cost)}
        )
    return " ".join(sentences)


def say_room(offer: Offer, used: Decimal, headline: Headline) -> str:
    words = {"plan": offer.name, "meter": headline.meter_name}
    if offer.limit is None:
        return _("%(plan)s has no limit on %(meter)s.") % words
    words |= {
        "limit": say_quantity(offer.limit, headline.unit),
        "percent": say_percent(find_percent(used, offer.limit)),
    }
    return _("%(plan)s allows %(limit)s on %(meter)s: the usage so far would be %(percent)s of it.") % words
