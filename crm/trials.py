"""What tried rules would have meant for sales: alerts and leads, by rep and week.

Who would have called is taken from who has the account: the rep of its latest lead, else the queue. A lead is taken to
stay open as long as half of the leads did that are closed, two weeks where none is; what an account is told meanwhile
joins it. So the number of leads is an estimate, that of alerts is not.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction

from crm.models import Lead
from metering.trials import OnProgress, Said, SetResult, TrialSet, summarise, try_rules

USUAL_LIFE = timedelta(days=14)
FIND_LIFE = """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY closed_at - opened_at) FROM crm_lead WHERE closed_at IS NOT NULL
"""


class RepWeek(NamedTuple):
    """A rep, or None for the queue, and the Monday of a week of UTC."""

    rep: str | None
    monday: date


@dataclass(frozen=True, slots=True)
class RulesReport:
    """Sets side by side, in the order in which they were asked for; of each rep and week alerts and leads by set."""

    start: datetime
    end: datetime
    sets: tuple[SetResult, ...]
    lead_life: timedelta
    weeks: dict[RepWeek, tuple[tuple[int, int], ...]]

    @property
    def leads(self) -> tuple[int, ...]:
        """By set."""
        return tuple(sum(counts[place][1] for counts in self.weeks.values()) for place in range(len(self.sets)))


@dataclass(slots=True)
class Workload:
    """Alerts that tell sales, and the leads that they open, by set, rep and week."""

    life: timedelta
    alerts: Counter[tuple[str, RepWeek]] = field(default_factory=Counter)
    leads: Counter[tuple[str, RepWeek]] = field(default_factory=Counter)

    def add(self, said: Iterable[Said], reps: dict[int, str]) -> None:
        """All that some accounts were told; an account comes once."""
        open_until: dict[tuple[str, int], datetime] = {}
        for each in sorted(said, key=lambda one: one.spoken.at):
            if not each.spoken.tells_rep:
                continue
            week = RepWeek(reps.get(each.account.id), find_monday(each.spoken.at))
            self.alerts[each.set_name, week] += 1
            key = (each.set_name, each.account.id)
            if key not in open_until or open_until[key] <= each.spoken.at:
                open_until[key] = each.spoken.at + self.life
                self.leads[each.set_name, week] += 1

    def by_week(self, names: Sequence[str]) -> dict[RepWeek, tuple[tuple[int, int], ...]]:
        """By rep, the queue last, and week."""
        weeks = sorted(
            {week for _, week in self.alerts}, key=lambda week: (week.rep is None, week.rep or "", week.monday)
        )
        return {week: tuple((self.alerts[name, week], self.leads[name, week]) for name in names) for week in weeks}


def try_on_history(
    sets: Sequence[TrialSet],
    *,
    start: datetime,
    end: datetime,
    at: datetime,
    with_forecasts: bool = True,
    on_progress: OnProgress = lambda done, total: None,
) -> RulesReport:
    """Replay [start, end) under each set, and say what it would have meant; memory is bounded.

    It writes nothing, and in a transaction of its own the database refuses whatever would be. Raises ValueError where
    start is not before end, metering.trials.NothingToTry.
    """
    with transaction.atomic():
        if not is_within_another():
            forbid_writing()
        return replay(sets, start=start, end=end, at=at, with_forecasts=with_forecasts, on_progress=on_progress)


def is_within_another() -> bool:
    return len(connection.savepoint_ids) > 0


def forbid_writing() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")


def replay(
    sets: Sequence[TrialSet],
    *,
    start: datetime,
    end: datetime,
    at: datetime,
    with_forecasts: bool,
    on_progress: OnProgress,
) -> RulesReport:
    workload, results = Workload(find_lead_life()), []
    for trials, said in try_rules(
        sets, start=start, end=end, at=at, with_forecasts=with_forecasts, on_progress=on_progress
    ):
        workload.add(said, find_reps({each.account.id for each in said}))
        results = trials
    return RulesReport(
        start=start,
        end=end,
        sets=tuple(summarise(results)),
        lead_life=workload.life,
        weeks=workload.by_week([each.name for each in sets]),
    )


def find_lead_life() -> timedelta:
    """How long half of the leads were open, of those that are closed."""
    with connection.cursor() as cursor:
        cursor.execute(FIND_LIFE)
        [life] = cursor.fetchone()
    return life or USUAL_LIFE


def find_reps(account_ids: Collection[int]) -> dict[int, str]:
    """account id → the rep of its latest lead, of those that somebody has."""
    leads = Lead.objects.filter(account_id__in=account_ids, rep__isnull=False).select_related("rep__user")
    latest = leads.order_by("account_id", "-opened_at", "-pk").distinct("account_id")
    return {lead.account_id: str(lead.rep) for lead in latest}


def find_monday(moment: datetime) -> date:
    return moment.date() - timedelta(days=moment.weekday())
