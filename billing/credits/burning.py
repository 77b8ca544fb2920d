"""Which grant pays for what, and what is left: pure and exact, in any unit. No Django here.

A grant pays from the moment it takes effect until it expires or is voided, `[effective_at, end)`. The lowest priority
number goes first, then the earliest expiry, then the oldest.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, localcontext

from billing.credits.recurrence import Recurrence
from billing.money import EXACT

ZERO = Decimal(0)
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Grant:
    """`amount` of credit. An empty `scope` pays for any price, another one only for the prices that it names."""

    id: str
    amount: Decimal
    effective_at: datetime
    priority: int = 0
    expires_at: datetime | None = None
    voided_at: datetime | None = None
    scope: frozenset[str] = frozenset()
    recurrence: Recurrence | None = None

    @property
    def end(self) -> datetime:
        return min(self.expires_at or NEVER, self.voided_at or NEVER)

    def is_active(self, moment: datetime) -> bool:
        return self.effective_at <= moment < self.end

    def pays_for(self, price: str) -> bool:
        return not self.scope or price in self.scope


@dataclass(frozen=True, slots=True)
class Charge:
    """What asks for credit: an amount of one price. Prices are told apart by name; "" is one of no name."""

    amount: Decimal
    price: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """A charge at a moment."""

    at: datetime
    amount: Decimal
    price: str = ""


@dataclass(frozen=True, slots=True)
class Burn:
    """`amount` of a grant, taken for the charge at this index."""

    grant_id: str
    charge: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """How grants stand after a time line.

    `balances`: grant id → what it can still pay, nothing once it has ended and before it has begun. `burned`: grant id
    → what it paid in all. `overage`: what was used and found no credit.
    """

    balances: Mapping[str, Decimal]
    burned: Mapping[str, Decimal]
    overage: Decimal


def order_grants(grants: Iterable[Grant]) -> list[Grant]:
    """In the order in which they burn. Among equals the given order stays."""
    return sorted(grants, key=lambda grant: (grant.priority, grant.expires_at or NEVER, grant.effective_at))


def burn_grants(grants: Iterable[Grant], charges: Sequence[Charge], *, balances: Mapping[str, Decimal]) -> list[Burn]:
    """Pay the charges as far as the balances (grant id → amount) go; the caller chooses the grants that are active.

    Each grant in its turn gives all it can. Where it can choose, it first pays what the grants after it could not, so
    that one with a scope is not left over while something it may not pay for stays unpaid.
    """
    with localcontext(EXACT):
        due = [max(charge.amount, ZERO) for charge in charges]
        burns: defaultdict[tuple[str, int], Decimal] = defaultdict(Decimal)
        ordered = order_grants(grants)
        for place, grant in enumerate(ordered, start=1):
            left = balances[grant.id]
            mine = [index for index, charge in enumerate(charges) if grant.pays_for(charge.price)]
            first = [count_hopeless(due[index], charges[index], ordered[place:], balances) for index in mine]
            for index, wanted in [*zip(mine, first, strict=True), *((index, left) for index in mine)]:
                taken = min(left, due[index], wanted)
                if taken > 0:
                    left -= taken
                    due[index] -= taken
                    burns[grant.id, index] += taken
        return [Burn(grant_id, index, amount) for (grant_id, index), amount in burns.items()]


def count_hopeless(due: Decimal, charge: Charge, later: Sequence[Grant], balances: Mapping[str, Decimal]) -> Decimal:
    """How much of what is due the later grants could not pay, if they paid for nothing else."""
    hope = sum((balances[grant.id] for grant in later if grant.pays_for(charge.price)), start=ZERO)
    return max(due - hope, ZERO)


def burn_timeline(grants: Sequence[Grant], usage: Iterable[Usage], *, start: datetime, until: datetime) -> Standing:
    """Let the usage of [start, until) burn grants as it happens. Grants already active at the start begin in full.

    What finds no credit waits as overage, and takes from what is granted or recurs later. Changes at `until` itself
    have happened: a grant that expires there is gone, one that recurs there is fresh.
    """
    charges: defaultdict[datetime, list[Charge]] = defaultdict(list)
    for used in usage:
        if start <= used.at < until:
            charges[used.at].append(Charge(used.amount, used.price))
    occurrences = {grant.id: set(list_occurrences(grant, until)) for grant in grants}
    changes = {moment for grant in grants for moment in (grant.effective_at, grant.end, *occurrences[grant.id])}
    state = State(balances={grant.id: ZERO for grant in grants}, burned={grant.id: ZERO for grant in grants})
    with localcontext(EXACT):
        for moment in sorted({start, *charges, *(each for each in changes if start < each <= until)}):
            for grant in grants:
                if not grant.is_active(moment):
                    state.balances[grant.id] = ZERO
                elif moment == max(grant.effective_at, start):
                    state.balances[grant.id] = grant.amount
                elif grant.recurrence is not None and moment in occurrences[grant.id]:
                    state.recur(grant, grant.recurrence)
            state.burn([grant for grant in grants if grant.is_active(moment)], charges.get(moment, []))
        return Standing(state.balances, state.burned, sum(state.overage.values(), start=ZERO))


@dataclass(slots=True)
class State:
    """Balances in the midst of a time line; overage by price."""

    balances: dict[str, Decimal]
    burned: dict[str, Decimal]
    overage: dict[str, Decimal] = field(default_factory=dict)

    def recur(self, grant: Grant, recurrence: Recurrence) -> None:
        self.balances[grant.id] = recurrence.refresh(grant.amount, self.balances[grant.id])
        if not recurrence.carries_overage:
            self.overage = {price: due for price, due in self.overage.items() if not grant.pays_for(price)}

    def burn(self, active: Sequence[Grant], charges: Sequence[Charge]) -> None:
        """What is told of one moment is one charge for each price, by their names: no order of telling is in it."""
        asked = dict(self.overage)
        for charge in charges:
            asked[charge.price] = asked.get(charge.price, ZERO) + max(charge.amount, ZERO)
        waiting = [Charge(asked[price], price) for price in sorted(asked)]
        self.overage = {}
        due = [charge.amount for charge in waiting]
        for burn in burn_grants(active, waiting, balances=self.balances):
            self.balances[burn.grant_id] -= burn.amount
            self.burned[burn.grant_id] += burn.amount
            due[burn.charge] -= burn.amount
        for charge, amount in zip(waiting, due, strict=True):
            if amount > 0:
                self.overage[charge.price] = self.overage.get(charge.price, ZERO) + amount


def list_occurrences(grant: Grant, until: datetime) -> Iterator[datetime]:
    """When a grant recurs, from after it takes effect up to `until`, both ends of its life excluded."""
    if grant.recurrence is not None:
        for moment in grant.recurrence.list_moments(until):
            if grant.effective_at < moment < grant.end:
                yield moment


@dataclass(frozen=True, slots=True)
class FifoLinks:
    """`links`: for each spend the (index of the top-up, amount) that paid it. `remaining`: what is left of each."""

    remaining: tuple[Decimal, ...]
    links: tuple[tuple[tuple[int, Decimal], ...], ...]


def link_spends(top_ups: Sequence[Decimal], spends: Sequence[Decimal]) -> FifoLinks:
    """Trace each spend to the top-ups that paid it, oldest first. What exceeds all top-ups is linked to none."""
    remaining = list(top_ups)
    links = []
    with localcontext(EXACT):
        for spend in spends:
            parts = []
            for index, left in enumerate(remaining):
                taken = min(left, spend)
                if taken > 0:
                    remaining[index] -= taken
                    spend -= taken
                    parts.append((index, taken))
            links.append(tuple(parts))
    return FifoLinks(tuple(remaining), tuple(links))
