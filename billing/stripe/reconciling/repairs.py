"""What a person may have done about a drift: a job each, which does it, notes it, and looks again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.models import DriftAct, DriftState, StripeDrift
from billing.stripe.drifts import note_move, say_closed
from billing.stripe.reconciling import repairing
from billing.stripe.reconciling.running import reconcile
from jobs import queue

LOOK_AGAIN, REPAIR = "billing.stripe_look_again", "billing.stripe_repair"


class NoRepair(ValueError):
    """Nothing is known that repairs a drift of this kind."""


@dataclass(frozen=True, slots=True)
class Repair:
    """`do` is called with the drift, outside of a transaction, and may be called twice."""

    act: DriftAct
    verb: str | Promise
    do: Callable[[StripeDrift, datetime], None]


CHARGE = Repair(DriftAct.RESENT, _("compare and charge again"), repairing.charge_again)
READ = Repair(DriftAct.RESENT, _("read again and follow"), repairing.read_again)
REPAIRS: dict[str, Repair] = {  # by kind of drift
    "invoice_missing": CHARGE,
    "invoice_total": CHARGE,
    "metered_line": CHARGE,
    "invoice_gone": CHARGE,
    "invoice_stale": READ,
    "invoice_state": READ,
    "payment": READ,
    "usage_failed": Repair(DriftAct.RESENT, _("send it again"), repairing.send_failed_again),
    "usage_unsent": Repair(DriftAct.RESENT, _("send what is missing"), repairing.send_rest),
    "subscription": Repair(DriftAct.RESENT, _("mirror again"), repairing.mirror_again),
    "customer": Repair(DriftAct.RESENT, _("connect again"), repairing.try_customer_again),
    "catalogue": Repair(DriftAct.RESENT, _("tell again"), repairing.tell_catalogue),
}
ADJUST = Repair(DriftAct.ADJUSTED, _("put the difference on Stripe's draft"), repairing.adjust)
ADJUSTMENTS: dict[str, Repair] = {"invoice_total": ADJUST, "metered_line": ADJUST}  # where both stay as they are


def find_repair(drift: StripeDrift, act: DriftAct = DriftAct.RESENT) -> Repair | None:
    known = ADJUSTMENTS if act == DriftAct.ADJUSTED else REPAIRS
    return known.get(drift.kind) if drift.state == DriftState.OPEN else None


@transaction.atomic
def promise_repair(drift_id: int, *, by: int | None, at: datetime, act: DriftAct = DriftAct.RESENT) -> bool:
    """Have an open drift repaired by a job. False where that is promised already, and nothing came of it yet.

    Raises DriftClosed, NoRepair.
    """
    drift = StripeDrift.objects.select_for_update().get(pk=drift_id)
    if drift.state != DriftState.OPEN:
        raise say_closed(drift)
    if find_repair(drift, act) is None:
        raise NoRepair(_("Nothing is known that repairs %(drift)s.") % {"drift": drift})
    key = f"{drift_id} {drift.moves.count()}"
    return queue.enqueue(REPAIR, key, {"drift": drift_id, "by": by, "act": act}, at=at)


def repair(drift_id: int, *, by: int | None, at: datetime, act: DriftAct = DriftAct.RESENT) -> None:
    """Do it, note who wanted it, and look at the account again: whether that helped is seen, not supposed."""
    drift = StripeDrift.objects.get(pk=drift_id)
    found = find_repair(drift, act)
    if found is None:
        return
    found.do(drift, at)
    note_move(drift, found.act, at=at, by=by)
    reconcile(at, account_id=drift.account_id, may_read=drift.account_id is not None)


def promise_look(account_id: int | None, *, at: datetime) -> None:
    """Have one account, or everything, compared again by a job."""
    queue.enqueue(LOOK_AGAIN, uuid4().hex, {"account": account_id}, at=at)
