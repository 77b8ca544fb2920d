"""What tried rules were worth: how many of their alerts came true, and which limits they would have missed. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from metering.grading.scores import Share, Spread, spread
from metering.trials.replaying import Spoken
from metering.trials.windows import AccountName, TriedWindow

DAY = timedelta(days=1)
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Said:
    """An alert of a set and what came of it: `reached_at` is when the limit that it saw was reached, if it was.

    `is_open`: the window still ran when the usage was read, and had not reached it: nobody knows yet.
    """

    set_name: str
    account: AccountName
    limit_id: int
    spoken: Spoken
    reached_at: datetime | None
    is_open: bool

    @property
    def is_early(self) -> bool:
        """Told before the limit was reached."""
        return self.reached_at is not None and self.spoken.at < self.reached_at

    @property
    def is_wrong(self) -> bool:
        return self.reached_at is None and not self.is_open


@dataclass(frozen=True, slots=True)
class Missed:
    """A limit that was reached with nothing told before."""

    account: AccountName
    meter_key: str
    start: datetime
    end: datetime
    quantity: Decimal
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class SetResult:
    """Of one set over the time that was asked for: `missed` are the first of `missed_count`."""

    name: str
    told: int
    early: int
    wrong: int
    at_limit: int
    undecided: int
    reached: int
    missed_count: int
    missed: tuple[Missed, ...]
    lead_days: Spread | None
    by_rule: dict[str, int]

    @property
    def precision(self) -> Share:
        return Share(self.early, self.early + self.wrong)

    @property
    def recall(self) -> Share:
        return Share(self.reached - self.missed_count, self.reached)


@dataclass(slots=True)
class Trial:
    """Windows added up one by one for one set; only what is shown is kept of them."""

    name: str
    start: datetime
    end: datetime
    at: datetime  # until when usage is known
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("early", "wrong", "at_limit", "open"), 0))
    by_rule: dict[str, int] = field(default_factory=dict)
    leads: list[float] = field(default_factory=list)
    reached: int = 0
    missed_count: int = 0
    missed: list[Missed] = field(default_factory=list)

    def add(self, window: TriedWindow, spoken: Sequence[Spoken]) -> list[Said]:
        """Returns what was told within [start, end). What was told before it counts for what was not missed."""
        said = [self.judge(window, each) for each in spoken]
        mine = [each for each in said if self.start <= each.spoken.at < self.end]
        for each in mine:
            self.count(each)
        self.look_for_misses(window, said)
        return mine

    def judge(self, window: TriedWindow, spoken: Spoken) -> Said:
        quantity = spoken.quantity
        reached_at = None if quantity is None else window.find_reached(quantity)
        is_open = quantity is None or (reached_at is None and window.whole_end > self.at)
        return Said(self.name, window.account, window.limit_id, spoken, reached_at, is_open)

    def count(self, said: Said) -> None:
        self.by_rule[said.spoken.rule] = self.by_rule.get(said.spoken.rule, 0) + 1
        if said.is_early:
            self.counts["early"] += 1
        elif said.is_wrong:
            self.counts["wrong"] += 1
        else:
            self.counts["open" if said.is_open else "at_limit"] += 1

    def look_for_misses(self, window: TriedWindow, said: Sequence[Said]) -> None:
        """Of each limit of the window that was reached while it held, within the time that was asked for."""
        for quantity, reached_at in find_limits_reached(window):
            if not self.start <= reached_at < self.end:
                continue
            self.reached += 1
            before = [each.spoken.at for each in said if each.spoken.at < reached_at]
            if before:
                self.leads.append((reached_at - min(before)) / DAY)
                continue
            self.missed_count += 1
            if len(self.missed) < SHOWN:
                self.missed.append(
                    Missed(window.account, window.meter_key, window.start, window.end, quantity, reached_at)
                )

    def result(self) -> SetResult:
        return SetResult(
            name=self.name,
            told=sum(self.counts.values()),
            early=self.counts["early"],
            wrong=self.counts["wrong"],
            at_limit=self.counts["at_limit"],
            undecided=self.counts["open"],
            reached=self.reached,
            missed_count=self.missed_count,
            missed=tuple(self.missed),
            lead_days=spread(self.leads),
            by_rule=dict(sorted(self.by_rule.items())),
        )


def find_limits_reached(window: TriedWindow) -> Iterator[tuple[Decimal, datetime]]:
    """Each quantity that was reached while it held, with the hour's end, or the moment in which it was set below."""
    bounds = [*(each.at for each in window.allowed[1:]), window.end]
    for allowed, until in zip(window.allowed, bounds, strict=True):
        if allowed.quantity is None:
            continue
        at_first = window.find_total(allowed.at)
        if at_first > 0 and at_first >= allowed.quantity:
            yield allowed.quantity, allowed.at
            continue
        for at, total in window.used:
            if allowed.at < at <= until and total > 0 and total >= allowed.quantity:
                yield allowed.quantity, at
                break


def summarise(trials: Iterable[Trial]) -> list[SetResult]:
    return [trial.result() for trial in trials]
