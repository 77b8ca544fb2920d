"""Everything that happened to a lead, in one list, latest first."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from crm.models import Activity, ActivityKind, Signal, Stage, Transition
from crm.transitions import BY_UPGRADE
from metering.alerts import AlertFact, read_alerts
from metering.notices.words import say_recovery, word_alert


@dataclass(frozen=True, slots=True)
class Entry:
    """`who` is empty when nobody did it: it came from metering or from the rules."""

    at: datetime
    kind: str  # signal, cooled, recovery, move, assignment or note: names an icon and a colour
    title: str
    text: str
    who: str


def list_entries(lead_id: int) -> list[Entry]:
    """Signals and their recoveries, moves, assignments and notes of one lead in four queries."""
    entries = [*list_signals(lead_id), *list_moves(lead_id), *list_activities(lead_id)]
    return [entry for _position, entry in sorted(enumerate(entries), key=by_time, reverse=True)]


def by_time(numbered: tuple[int, Entry]) -> tuple[datetime, int]:
    """Of one moment's entries the signal comes first, then what followed from it."""
    return numbered[1].at, numbered[0]


def list_signals(lead_id: int) -> list[Entry]:
    """What was told, in the words in which everybody was told, and when it was over."""
    signals = Signal.objects.filter(lead_id=lead_id).order_by("pk").values_list("alert_id", "created_at", "is_cooled")
    rows = list(signals)
    alerts = read_alerts([alert_id for alert_id, _at, _is_cooled in rows])
    told = [describe_signal(alerts[alert_id], at=at, is_cooled=is_cooled) for alert_id, at, is_cooled in rows]
    return told + [describe_recovery(alert) for alert in alerts.values() if alert.resolved_at is not None]


def describe_signal(alert: AlertFact, *, at: datetime, is_cooled: bool) -> Entry:
    words = word_alert(alert)
    sentences = [words.sentence, *words.notes]
    if is_cooled:
        sentences.append(_("It came soon after the lead was lost and was no worse, so it opened none."))
    return Entry(at, "cooled" if is_cooled else "signal", words.title, " ".join(sentences), "")


def describe_recovery(alert: AlertFact) -> Entry:
    return Entry(alert.resolved_at or alert.detected_at, "recovery", say_recovery(alert), word_alert(alert).title, "")


def list_moves(lead_id: int) -> list[Entry]:
    moves = Transition.objects.filter(lead_id=lead_id).select_related("actor").order_by("pk")
    return [
        Entry(move.moved_at, "move", describe_move(move), explain_move(move), name_person(move.actor)) for move in moves
    ]


def describe_move(move: Transition) -> str:
    if not move.from_stage:
        return _("Lead opened")
    stages = {"from": Stage(move.from_stage).label, "to": Stage(move.to_stage).label}
    return _("Moved from %(from)s to %(to)s") % stages


def explain_move(move: Transition) -> str:
    if move.actor_id is None and move.reason == BY_UPGRADE:
        return _("A larger plan cleared every alarm of the account.")
    return move.reason


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
