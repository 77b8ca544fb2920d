"""Cases about alerts and the leads that follow: what a limit lives through, step by step, through the doors."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from crm.facts import describe_lead
from crm.leads import list_cooled, move_lead, open_leads
from crm.models import Lead
from metering.alerts import check_limits, observe_forecasts, snooze
from metering.alerts.levels import Ladder, find_crossed
from metering.events import UsageEvent
from metering.forecast import Expectation, record_forecast
from metering.ingest import ingest_events
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.meters import create_meter
from metering.models import Alert, ChangeReason, Limit
from tests.cases.kinds import runs
from tests.cases.usage_kinds import ALL_HISTORY, EPOCH, read_time
from tests.metering.makers import make_account
from tests.metering.threads import open_threads

MANY_DAYS = 30  # of data, where a case does not say that there are fewer
KINDS = {"usage": "actual", "forecast": "forecast"}
REASONS = {
    "upgrade": ChangeReason.UPGRADE,
    "downgrade": ChangeReason.DOWNGRADE,
    "topup": ChangeReason.TOPUP,
    "top_up": ChangeReason.TOPUP,
    "renewal": ChangeReason.RENEWAL,
}
OTHER_PLAN = {ChangeReason.UPGRADE, ChangeReason.DOWNGRADE}

Step = dict[str, Any]


@runs("thresholds_crossed")
def run_thresholds_crossed(given: dict[str, Any]) -> dict[str, Any]:
    levels = tuple(sorted(Decimal(each) for each in given.get("thresholds") or ()))
    step = given.get("recurring")
    ladder = Ladder(levels, None if step is None else Decimal(step), given.get("direction") == "decreasing")
    crossed = find_crossed(ladder, previous=Decimal(given["previous"]), current=Decimal(given["current"]))
    return {"crossed": crossed}


@runs("alert_timeline")
def run_alert_timeline(given: dict[str, Any]) -> dict[str, Any]:
    timeline = Timeline(given["timeline"])
    timeline.live()
    return timeline.tell()


def needs_threads(given: dict[str, Any]) -> bool:
    """Workers see of each other only what is committed."""
    return any(step.get("workers", 1) > 1 for step in given.get("timeline", ()))


@dataclass
class Timeline:
    """One account and a gauge, which stands where the case says. The rules are those of a new installation.

    A window is the month, unless the case ends it before; a limit that the case names later replaces the one before.
    """

    steps: list[Step]
    account_id: int = 0
    meter_id: int = 0
    start: datetime = EPOCH
    end: datetime = EPOCH
    closed_start: datetime | None = None
    quantity: Decimal | None = None
    plan: int = 1
    events: dict[str, UsageEvent] = field(default_factory=dict)

    def live(self) -> None:
        self.account_id = make_account("acme", at=EPOCH).id
        meter = create_meter(
            key="storage",
            name="Storage",
            event_type="storage",
            aggregation="latest",
            value="level",
            unit="GB",
            at=EPOCH,
        )
        self.meter_id = meter.id
        first = read_time(self.steps[0]["at"])
        self.start = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        self.end = self.find_end(self.start)
        if self.steps[0]["op"] != "limit":
            self.hand_over(at=first)
        for step in self.steps:
            self.take(step)

    def find_end(self, start: datetime) -> datetime:
        ends = [read_time(step["at"]) for step in self.steps if step["op"] == "period"]
        month_end = (start.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0)
        return min([end for end in ends if end > start], default=month_end)

    def take(self, step: Step) -> None:
        at = read_time(step["at"])
        acts: dict[str, Callable[[Step, datetime], None]] = {
            "limit": self.change_limit,
            "usage": self.use,
            "period": self.turn_period,
            "snooze": self.snooze,
            "forecast": self.forecast,
            "close_lead": self.close_lead,
            "eval": lambda step, at: None,
        }
        assert step["op"] in acts, f"the step {step['op']!r} is none that can be taken"
        acts[step["op"]](step, at)
        look(at)

    def hand_over(self, *, at: datetime, reason: ChangeReason = ChangeReason.OVERRIDE) -> None:
        hand_over_limits(
            account_ids=[self.account_id],
            terms=[LimitTerms(self.meter_id, self.quantity, is_hard=False)],
            start=self.start,
            end=self.end,
            at=at,
            plan=f"plan-{self.plan}",
            reason=reason,
        )

    def change_limit(self, step: Step, at: datetime) -> None:
        value = step.get("value")
        self.quantity = None if value is None else Decimal(value)
        reason = REASONS.get(step.get("reason", ""), ChangeReason.OVERRIDE)
        self.plan += reason in OTHER_PLAN
        self.hand_over(at=at, reason=reason)

    def use(self, step: Step, at: datetime) -> None:
        event = self.events.setdefault(
            str(step.get("event_id", f"case-{len(self.events)}")), self.build_event(step, at)
        )
        if event.data["level"] != Decimal(step["value"]):
            event = self.build_event(step, at)
        workers = step.get("workers", 1)
        if workers == 1:
            send(event, at)
            return
        with open_threads(workers) as threads:
            threads.run_all(*[lambda: work(event, at)] * workers)

    def build_event(self, step: Step, at: datetime) -> UsageEvent:
        """Each a moment after the last, so that the gauge stands where the last one says."""
        number = len(self.events)
        is_late = step.get("period") == "closed" and self.closed_start is not None
        moment = (self.start - timedelta(minutes=1) if is_late else at) + timedelta(microseconds=number)
        id = str(step.get("event_id", f"case-{number}"))
        return UsageEvent("case", id, "storage", "acme", moment, {"level": Decimal(step["value"])})

    def turn_period(self, step: Step, at: datetime) -> None:
        close_window(account_id=self.account_id, start=self.start, end=self.end, at=at)
        self.closed_start, self.start = self.start, self.end
        self.end = self.find_end(self.start)
        self.hand_over(at=at, reason=ChangeReason.RENEWAL)

    def snooze(self, step: Step, at: datetime) -> None:
        level = step.get("level", step.get("until_level"))
        snooze(
            account_id=self.account_id,
            until=read_time(step["until"]) if step.get("until") else None,
            until_level=None if level is None else Decimal(level),
            made_by="rep@example.com",
            at=at,
        )

    def forecast(self, step: Step, at: datetime) -> None:
        limit_id = Limit.objects.get(account=self.account_id, starts_at=self.start).pk
        days = Decimal(step.get("days_of_data", MANY_DAYS))
        expected = Expectation(p_hit=Decimal(step["p_hit"]), days_of_data=days, is_learning=days < 7)
        assert record_forecast(limit_id, expected, at=at)
        observe_forecasts([limit_id], at=at)

    def close_lead(self, step: Step, at: datetime) -> None:
        lead = Lead.objects.get(account_id=self.account_id, closed_at=None)
        stages = ["lost"] if step.get("outcome", "lost") == "lost" else ["contacted", "qualified", "proposal", "won"]
        for stage in stages:
            move_lead(lead_id=lead.pk, to_stage=stage, actor_id=None, at=at, reason="as the case says")

    def tell(self) -> dict[str, Any]:
        alerts = list(Alert.objects.filter(account=self.account_id).order_by("detected_at", "pk"))
        told = [each for each in alerts if each.state == "told"]
        cooled = [(each.at, "cooldown") for each in list_cooled([self.account_id])]
        leads = [describe_lead(lead) for lead in Lead.objects.filter(account=self.account_id).order_by("pk")]
        standing = [lead for lead in leads if lead.is_open]
        return {
            "alerts": sort(
                [(each.detected_at, KINDS[each.kind], each.level) for each in told]
                + [(each.reminded_at, "renotify", each.level) for each in alerts if each.reminded_at]
            ),
            "resolved": sort([(each.resolved_at, each.level) for each in told if each.resolved_at]),
            "suppressed": sort(
                [(each.detected_at, each.silence) for each in alerts if each.state == "suppressed"] + cooled
            ),
            "leads_opened": len(leads),
            "open_leads": len(standing),
            "leads_won": sum(lead.stage == "won" for lead in leads),
            "lead_priority": [*leads, *standing][-1].priority if leads else None,
        }


def send(event: UsageEvent, at: datetime) -> None:
    ingest_events([event], at=at, max_age=ALL_HISTORY)


def work(event: UsageEvent, at: datetime) -> None:
    """What each worker does: it gets the event, as senders do that had no answer, and looks at what moved."""
    send(event, at)
    look(at)


def look(at: datetime) -> None:
    check_limits(at=at)
    open_leads(at=at)


def sort(rows: list[Any]) -> list[Any]:
    """By time alone: what happened at one moment stays in the order in which it was seen."""
    return sorted(rows, key=lambda row: row[0])
