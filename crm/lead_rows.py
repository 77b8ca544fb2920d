"""The lead page's facts, as they were beside as they are: usage, forecast, plan, cost, and what to offer."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.subscriptions import SubscriptionFact
from billing.wording import display_amount, display_money
from crm.evidence import Cost, Evidence, Headline, Offer, state_plan
from crm.expected import Expected
from crm.words import (
    NOTHING,
    OF_LIMITS,
    say_dates,
    say_outlook,
    say_percent,
    say_quantity,
    say_reason,
    say_reset,
    say_total,
)
from metering.limits import LimitReading, find_percent


@dataclass(frozen=True, slots=True)
class Row:
    """One fact, then and now."""

    label: str
    then: str
    now: str


@dataclass(frozen=True, slots=True)
class LiveView:
    """The same questions as the frozen evidence, asked again now. No limit: the meter is not watched any more."""

    limit: LimitReading | None
    expected: Expected | None
    subscription: SubscriptionFact | None
    cost: Cost | None
    offer: Offer | None


def list_rows(evidence: Evidence, live: LiveView, *, at: datetime) -> list[Row]:
    plan_now = state_plan(live.subscription) if live.subscription else None
    return [
        *(list_limit_rows(evidence, live, at=at) if evidence.headline.meter_key else ()),
        Row(_("Plan"), evidence.plan.name if evidence.plan else NOTHING, plan_now.name if plan_now else NOTHING),
        Row(_("Cost so far"), say_cost(evidence.cost), say_cost(live.cost)),
        Row(_("Next plan"), say_offer(evidence.offer, evidence.headline), say_offer(live.offer, evidence.headline)),
    ]


def list_limit_rows(evidence: Evidence, live: LiveView, *, at: datetime) -> list[Row]:
    """Usage against the limit, and what is expected of it. Of what no limit measures there is only today's."""
    headline, limit = evidence.headline, live.limit
    is_of_limit = headline.kind in OF_LIMITS
    quantity, percent = (headline.quantity, headline.percent) if is_of_limit else (None, None)
    zone = evidence.time_zone
    rows = [
        Row(_("Used"), say_quantity(headline.used, headline.unit), say_used(limit)),
        Row(_("Limit"), NOTHING if quantity is None else say_quantity(quantity, headline.unit), say_limit(limit)),
        Row(_("Share"), NOTHING if percent is None else say_percent(percent), say_share(limit)),
        Row(
            _("Reset"),
            say_reset(headline.end, at=evidence.frozen_at),
            say_reset(limit.resets_at, at=at) if limit else NOTHING,
        ),
    ]
    if evidence.forecast is None and live.expected is None:
        return rows
    then, now = evidence.forecast, live.expected
    return [
        *rows,
        Row(_("Chance of reaching it"), say_outlook(then), say_outlook(now)),
        Row(_("Reaches it"), say_dates(then, zone=zone), say_dates(now, zone=zone)),
        Row(_("Total at the reset"), say_total(then, headline.unit), say_total(now, headline.unit)),
        Row(_("Because"), say_reason(then), say_reason(now)),
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


def say_offer(offer: Offer | None, headline: Headline) -> str:
    """`Large: 5,000 for €99.00`; of no meter in particular `Large for €99.00`."""
    if offer is None:
        return _("none above it")
    words = {
        "plan": offer.name,
        "allowed": _("unlimited") if offer.limit is None else say_quantity(offer.limit, headline.unit),
        "fee": display_amount(sum((fee.amount for fee in offer.fees), start=Decimal(0)), offer.currency),
    }
    if not headline.meter_key:
        return _("%(plan)s for %(fee)s") % words
    return _("%(plan)s: %(allowed)s for %(fee)s") % words


def list_cost_lines(cost: Cost | None) -> list[tuple[str, str]]:
    return [(line.description, display_money(line.amount_minor, cost.currency)) for line in cost.lines] if cost else []


def give_advice(evidence: Evidence, live: LiveView) -> str:
    """What the next plan would give, with today's figures; with the frozen ones when there are none any more."""
    offer, cost = (live.offer, live.cost) if live.subscription else (evidence.offer, evidence.cost)
    if offer is None:
        return _("There is no larger plan to offer.") if live.subscription or evidence.plan else ""
    used = live.limit.used if live.limit else evidence.headline.used
    sentences = [say_room(offer, used, evidence.headline)] if evidence.headline.meter_key else []
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
