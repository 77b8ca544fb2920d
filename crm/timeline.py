"""Everything that happened to a lead, in one list, latest first."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F
from django.utils.translation import gettext as _

from crm.frozen import thaw_headline
from crm.models import Activity, ActivityKind, Signal, Stage, Transition
from crm.words import say_percent, say_quantity


@dataclass(frozen=True, slots=True)
class Entry:
    """`who` is empty when nobody did it: it came from metering or from the rules."""

    at: datetime
    kind: str  # signal, move, assignment or note: names an icon and a colour
    title: str
    text: str
    who: str


def list_entries(lead_id: int) -> list[Entry]:
    """Signals, moves, assignments and notes of one lead in three queries."""
    entries = [*list_signals(lead_id), *list_moves(lead_id), *list_activities(lead_id)]
    return [entry for _position, entry in sorted(enumerate(entries), key=by_time, reverse=True)]


def by_time(numbered: tuple[int, Entry]) -> tuple[datetime, int]:
    """Of one moment's entries the signal comes first, then what followed from it."""
    return numbered[1].at, numbered[0]


def list_signals(lead_id: int) -> list[Entry]:
    rows = Signal.objects.filter(lead_id=lead_id).order_by("pk").values_list("created_at", F("evidence__headline"))
    return [Entry(at, "signal", *describe_signal(headline), "") for at, headline in rows]


def describe_signal(frozen: dict[str, str]) -> tuple[str, str]:
    headline = thaw_headline(frozen)
    title = _("%(meter)s reached %(level)s") % {
        "meter": headline.meter_name,
        "level": say_percent(headline.level),
    }
    text = _("%(used)s of %(limit)s, %(percent)s") % {
        "used": say_quantity(headline.used, headline.unit),
        "limit": say_quantity(headline.quantity, headline.unit),
        "percent": say_percent(headline.percent),
    }
    return title, text


def list_moves(lead_id: int) -> list[Entry]:
    moves = Transition.objects.filter(lead_id=lead_id).select_related("actor").order_by("pk")
    return [Entry(move.moved_at, "move", describe_move(move), move.reason, name_person(move.actor)) for move in moves]


def describe_move(move: Transition) -> str:
    if not move.from_stage:
        return _("Lead opened")
    stages = {"from": Stage(move.from_stage).label, "to": Stage(move.to_stage).label}
    return _("Moved from %(from)s to %(to)s") % stages


def list_activities(lead_id: int) -> list[Entry]:
    rows = Activity.objects.filter(lead_id=lead_id).select_related("actor", "rep__user").order_by("pk")
    return [
        Entry(
            activity.created_at, activity.kind, describe_activity(activity), activity.text, name_person(activity.actor)
        )
        for activity in rows
    ]


def describe_activity(activity: Activity) -> str:
    if activity.kind == ActivityKind.NOTE:
        return _("Note")
    if activity.rep is not None and activity.actor_id == activity.rep.user_id:
        return _("Taken from the queue")
    return _("Given to %(rep)s") % {"rep": activity.rep}


def name_person(person: object | None) -> str:
    return "" if person is None else str(person)
