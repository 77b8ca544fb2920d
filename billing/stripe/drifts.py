"""Drifts: where Palier and Stripe do not say the same. Found, shown, and closed with what was done about it.

`kind` says what differs and `key` what it is about; of both together one is open at a time.
"""

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from billing.constraints import find_constraint
from billing.models import DriftAct, DriftState, StripeDrift, StripeDriftMove


class DriftClosed(ValueError):
    """The drift was repaired or accepted meanwhile."""


@transaction.atomic
def open_drift(
    kind: str,
    key: str,
    *,
    account_id: int | None,
    ours: str,
    theirs: str,
    cause: str,
    at: datetime,
    difference_minor: int | None = None,
    currency: str = "",
) -> StripeDrift:
    """Say that two figures differ. The open drift of this kind and key is brought up to date, else one is opened.

    `difference_minor` is ours − theirs. One that was accepted with just these figures stays accepted, and is returned.
    """
    seen = {"ours": ours, "theirs": theirs, "difference_minor": difference_minor, "currency": currency}
    known = StripeDrift.objects.select_for_update().filter(kind=kind, key=key)
    if (drift := known.filter(state=DriftState.OPEN).first()) is None:
        last = known.order_by("-pk").first()
        if last is not None and last.state == DriftState.ACCEPTED and says_same(last, seen):
            return last
        fresh = StripeDrift(kind=kind, key=key, account_id=account_id, cause=cause, opened_at=at, seen_at=at, **seen)
        if insert_drift(fresh):
            note_move(fresh, DriftAct.OPENED, at=at, note=describe(fresh))
            return fresh
        drift = known.get(state=DriftState.OPEN)  # somebody else was first: theirs is committed, and ours now waits
    is_same = says_same(drift, seen)
    for name, value in (seen | {"cause": cause, "seen_at": at}).items():
        setattr(drift, name, value)
    drift.save(update_fields=[*seen, "cause", "seen_at"])
    if not is_same:
        note_move(drift, DriftAct.CHANGED, at=at, note=describe(drift))
    return drift


def insert_drift(drift: StripeDrift) -> bool:
    """False where one of its kind and key is open already."""
    try:
        with transaction.atomic():
            drift.save(force_insert=True)
    except IntegrityError as error:
        if find_constraint(error) != "stripe_drift_open_once":
            raise
        return False
    return True


def says_same(drift: StripeDrift, seen: Mapping[str, object]) -> bool:
    return all(getattr(drift, name) == value for name, value in seen.items())


def describe(drift: StripeDrift) -> str:
    return f"{drift.ours} ≠ {drift.theirs}"


@transaction.atomic
def close_drift(kind: str, key: str, *, at: datetime, note: str = "") -> bool:
    """Say that they agree (again). True where a drift was open; a second call changes nothing."""
    drift = StripeDrift.objects.select_for_update().filter(kind=kind, key=key, state=DriftState.OPEN).first()
    if drift is None:
        return False
    drift.state, drift.closed_at, drift.reason = DriftState.REPAIRED, at, note
    drift.save(update_fields=["state", "closed_at", "reason"])
    note_move(drift, DriftAct.REPAIRED, at=at, note=note)
    return True


@transaction.atomic
def accept_drift(drift_id: int, *, by: int, reason: str, at: datetime) -> StripeDrift:
    """Let it be as it is, for a reason. While both say what they say now it is not opened again.

    Raises DriftClosed, ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("a drift is accepted for a reason")
    drift = lock_open(drift_id)
    drift.state, drift.closed_at, drift.closed_by_id, drift.reason = DriftState.ACCEPTED, at, by, reason.strip()
    drift.save(update_fields=["state", "closed_at", "closed_by", "reason"])
    note_move(drift, DriftAct.ACCEPTED, at=at, by=by, note=drift.reason)
    return drift


def is_accepted(kind: str, key: str, *, ours: str, theirs: str) -> bool:
    """Whether the last thing said about it is that these two figures may differ."""
    last = StripeDrift.objects.filter(kind=kind, key=key).order_by("-pk").first()
    return last is not None and last.state == DriftState.ACCEPTED and (last.ours, last.theirs) == (ours, theirs)


def lock_open(drift_id: int) -> StripeDrift:
    """Raises DriftClosed."""
    drift = StripeDrift.objects.select_for_update().get(pk=drift_id)
    if drift.state != DriftState.OPEN:
        raise say_closed(drift)
    return drift


def say_closed(drift: StripeDrift) -> DriftClosed:
    return DriftClosed(_("%(drift)s is %(state)s already.") % {"drift": drift, "state": drift.get_state_display()})


def note_move(drift: StripeDrift, act: DriftAct, *, at: datetime, by: int | None = None, note: str = "") -> None:
    StripeDriftMove.objects.create(drift=drift, act=act, at=at, by_id=by, note=note)
