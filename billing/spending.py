"""What the periods under way have cost so far: what plans ask for them, with discounts taken off and before taxes.

Prices, add-ons and what a change within the period made of their fees; flat fees count in full from the first day. What
is billed besides (one-off charges, late usage of other periods), what a commitment raises it to and what credit pays is
no part of it. It is what a commitment counts, so that there is one notion of it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import Q

from billing.commitments import true_up
from billing.composing import compose_facts
from billing.lines import LineFact
from billing.models import Period
from billing.money import Money
from billing.period_facts import PeriodFacts, read_facts
from billing.previews import project_facts
from billing.profiles import read_profiles
from billing.promises import add_spend, is_spend
from billing.subscriptions import choose_main

Cost = tuple[PeriodFacts, Sequence[LineFact]]  # a period and what it is billed by now


@dataclass(frozen=True, slots=True)
class Promise:
    """What a subscription promised to come to in its period [start, end), and what it comes to so far."""

    subscription_id: int
    plan: str
    start: datetime
    end: datetime
    promised_minor: int
    spent_minor: int


@dataclass(frozen=True, slots=True)
class Spending:
    """What an account's periods under way have cost by now, in the smallest unit of its one currency.

    [start, end) is the main subscription's period; where there are others, theirs under way count with it. `by_meter`
    is by the meter's id, without what no meter has. A free period costs nothing.
    """

    account_id: int
    currency: str
    plan: str
    time_zone: str
    start: datetime
    end: datetime
    spent_minor: int = 0
    by_meter: Mapping[int, int] = field(default_factory=dict)
    promises: tuple[Promise, ...] = ()

    @property
    def spent(self) -> Decimal:
        """In whole units of the currency."""
        return Money(self.spent_minor, self.currency).amount

    def find_spent(self, meter_id: int | None) -> int:
        """Of one meter, or of everything."""
        return self.spent_minor if meter_id is None else self.by_meter.get(meter_id, 0)


def read_spendings(account_ids: Collection[int], *, at: datetime, at_close: bool = False) -> dict[int, Spending]:
    """account id → what it has spent by `at`, for those that have a period under way. A fixed number of statements.

    With `at_close` it is what it will have spent when the period ends, at the pace so far (`projections`). On top come
    the statements of `read_facts`. Raises what that and compose_facts raise.
    """
    periods = list_running(account_ids, at=at)
    owners = read_profiles({period.subscription.account_id for period in periods})
    billed: dict[int, list[Cost]] = {}
    for facts in read_facts([period for period in periods if not period.is_free]):
        if at_close:
            facts = project_facts(facts, at=at)
        billed.setdefault(facts.period.subscription.account_id, []).append((facts, compose_facts(facts)))
    return {
        account_id: add_up(
            main, billed.get(account_id, []), zone=owners[account_id].time_zone if account_id in owners else "UTC"
        )
        for account_id, main in choose_mains(periods, at=at).items()
    }


def list_running(account_ids: Collection[int], *, at: datetime) -> list[Period]:
    """Periods under way of subscriptions that have not ended, with their plans."""
    runs = Q(subscription__ended_at=None) | Q(subscription__ended_at__gt=at)
    periods = Period.objects.filter(
        runs, subscription__account__in=account_ids, starts_at__lte=at, ends_at__gt=at, closed_at=None
    )
    return list(periods.select_related("subscription", "version__plan").order_by("pk"))


def choose_mains(periods: Iterable[Period], *, at: datetime) -> dict[int, Period]:
    """account id → the main one of its periods under way."""
    of_account: dict[int, list[Period]] = {}
    for period in periods:
        of_account.setdefault(period.subscription.account_id, []).append(period)
    return {key: choose_main(group, at=at) or group[0] for key, group in of_account.items()}


def add_up(main: Period, billed: Sequence[Cost], *, zone: str) -> Spending:
    by_meter: Counter[int] = Counter()
    for facts, lines in billed:
        by_meter.update(split_by_meter(facts.period, lines))
    return Spending(
        account_id=main.subscription.account_id,
        currency=main.version.currency,
        plan=main.version.plan.slug,
        time_zone=zone,
        start=main.starts_at,
        end=main.ends_at,
        spent_minor=sum(add_spend(facts.period, lines) for facts, lines in billed),
        by_meter=by_meter,
        promises=tuple(state_promise(facts, lines) for facts, lines in billed if facts.terms.commitment_minor),
    )


def split_by_meter(period: Period, lines: Iterable[LineFact]) -> Counter[int]:
    spent: Counter[int] = Counter()
    for line in lines:
        if line.meter_id is not None and is_spend(period, line):
            spent[line.meter_id] += line.amount_minor - line.discount_minor
    return spent


def state_promise(facts: PeriodFacts, lines: Iterable[LineFact]) -> Promise:
    period = facts.period
    return Promise(
        subscription_id=period.subscription_id,
        plan=facts.terms.slug,
        start=period.starts_at,
        end=period.ends_at,
        promised_minor=true_up(facts.terms.commitment_minor, 0, part=facts.part).promised_minor,
        spent_minor=add_spend(period, lines),
    )
