"""What was changed of the catalogue in Stripe itself: found by one list of each kind, shown as drifts, and put back."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from billing.models import DriftState, StripeDrift, StripeKind, StripeObject
from billing.stripe.catalogue.resources import RESOURCES, Resource, Seen, name_price
from billing.stripe.catalogue.syncing import DRIFT, name_drift, promise_due
from billing.stripe.drifts import close_drift, open_drift
from billing.stripe.errors import Refused, is_missing
from billing.stripe.gateway import list_all, read

CHECK_CATALOGUE = "stripe.check_catalogue"
GONE = "not there"
LOOKED_UP = {StripeKind.PRICE, StripeKind.FEE, StripeKind.CARRIER}


def check_catalogue(at: datetime) -> int:
    """Look at all that Stripe has, open a drift for what differs and promise its repair; return how many differ.

    What was refused is asked for anew. Outside of a transaction; raises what `list_all` raises.
    """
    count = sum(check_resource(resource, at=at) for resource in RESOURCES)
    promise_due(at, again=True)
    return count


def check_resource(resource: Resource, *, at: datetime) -> int:
    """Rows are read before the list is: what was made meanwhile is in neither. Those under way are left alone."""
    settled = StripeObject.objects.filter(kind__in=resource.kinds, told=F("revision"), problem="")
    rows = list(settled.exclude(stripe_id="").order_by("pk"))
    if not rows:
        return 0
    found = {each.stripe_id: each for each in map(resource.see, list_all(resource.list_page, at=at))}
    open_keys = set(StripeDrift.objects.filter(kind=DRIFT, state=DriftState.OPEN).values_list("key", flat=True))
    count = 0
    for row in rows:
        seen = found.get(row.stripe_id) or look_closer(resource, row.stripe_id, at=at)
        difference = describe_difference(row, seen)
        if difference:
            count += note_difference(row, seen, difference, at=at)
        elif name_drift(row) in open_keys:
            close_drift(DRIFT, name_drift(row), at=at, note="as it was told")
    return count


def look_closer(resource: Resource, stripe_id: str, *, at: datetime) -> Seen | None:
    """What a list left out may be there all the same, and is asked for by its id. None: it is not there."""
    try:
        found = read(lambda client: resource.retrieve(client, stripe_id), at=at)
    except Refused as refusal:
        if is_missing(refusal):
            return None
        raise
    return None if getattr(found, "deleted", False) else resource.see(found)


def describe_difference(row: StripeObject, seen: Seen | None) -> str:
    """What is not as it was told, for staff; empty where nothing is."""
    if seen is None:
        return GONE
    differences = []
    if seen.label != row.label:
        differences.append(f"named {seen.label!r}")
    if not seen.is_active:
        differences.append("put away")
    if row.kind in LOOKED_UP and seen.lookup_key != name_price(StripeKind(row.kind), row.key):
        differences.append(f"found by {seen.lookup_key!r}")
    return ", ".join(differences)


@transaction.atomic
def note_difference(row: StripeObject, seen: Seen | None, difference: str, *, at: datetime) -> bool:
    """Have it told anew, unless it was meanwhile."""
    same = StripeObject.objects.select_for_update().filter(pk=row.pk, revision=row.revision, stripe_id=row.stripe_id)
    if not same.exists():
        return False
    told = f"{row.label} ({row.stripe_id})"
    if seen is None:
        row.former_ids, row.stripe_id, row.fingerprint = [*row.former_ids, row.stripe_id], "", ""
    else:
        row.label, row.is_active = "", seen.is_active
    row.save(update_fields=["former_ids", "stripe_id", "fingerprint", "label", "is_active"])
    open_drift(
        DRIFT, name_drift(row), account_id=None, ours=told, theirs=difference, cause="changed in Stripe itself", at=at
    )
    return True
