"""What Stripe says of customers and subscriptions: whatever somebody changed there is shown, not followed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from billing.models import StripeCustomer, StripeMirroring, StripeSubscription
from billing.stripe.cycles import find_cycle
from billing.stripe.drifts import close_drift
from billing.stripe.gateway import read
from billing.stripe.inbox.handlers import NotOurs, NotYet
from billing.stripe.mirroring.customers import look_at_customer
from billing.stripe.mirroring.subscriptions import note_status, read_time, show_drift
from billing.stripe.subscriptions import DRIFT, ENDED, describe_hanging, name_drift


def check_customer(stripe_id: str, *, at: datetime) -> None:
    """Take over its card, and see whether it is still there. Raises NotOurs."""
    customer = StripeCustomer.objects.filter(stripe_id=stripe_id).first()
    if customer is None:
        raise NotOurs(f"no account is charged as {stripe_id}")
    look_at_customer(customer.account_id, at=at)


def check_subscription(stripe_id: str, *, at: datetime) -> None:
    """Compare a subscription there with what it was told to be: a drift is open exactly while they differ.

    Raises NotYet where we are about to learn its id, NotOurs.
    """
    row = StripeSubscription.objects.select_related("version", "subscription").filter(stripe_id=stripe_id).first()
    found = read(lambda client: client.v1.subscriptions.retrieve(stripe_id), at=at).to_dict()
    if row is None:
        if "palier_stretch" in found["metadata"]:
            raise NotYet(f"{stripe_id} is ours, and not noted yet")
        raise NotOurs(f"{stripe_id} was not made by Palier")
    note_found(row, found)
    if row.closed_at is not None:
        return
    if found["status"] in ENDED and row.told_ends_at is not None and row.told_ends_at <= at:
        StripeMirroring.objects.filter(pk=row.subscription_id).update(due_at=at)
        return
    key, differences = name_drift(row), list(list_differences(row, found))
    if differences:
        ours, theirs = ("; ".join(words) for words in zip(*differences, strict=True))
        show_drift(key, row.subscription.account_id, ours, theirs, cause="changed in Stripe", at=at)
    else:
        close_drift(DRIFT, key, at=at, note="the same again")


def note_found(row: StripeSubscription, found: Mapping[str, Any]) -> None:
    """Items that are gone can charge nothing: their prices are asked by lines from then on."""
    there = {each["id"] for each in found["items"]["data"]}
    row.lost_items = sorted(item for item in row.items.values() if item not in there)
    row.save(update_fields=["lost_items"])
    note_status(row, found)


def list_differences(row: StripeSubscription, found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What it was told, and what it is there, in English for staff."""
    if found["status"] in ENDED:
        yield "goes on", f"ended {read_time(found['ended_at'])}"
        return
    items = {each["id"]: each for each in found["items"]["data"]}
    known = set(row.items.values())
    for item in row.lost_items:
        yield f"item {item}", "removed"
    for item in items.keys() - known:
        yield "no such item", f"item {item} of {items[item]['price']['id']}"
    for item in items.keys() & known:
        if items[item].get("quantity"):
            yield f"quantity 0 of {item}", f"quantity {items[item]['quantity']}"
    ends_at = read_time(found["cancel_at"])
    if row.told_revision == row.revision and ends_at != row.told_ends_at:
        yield f"ends {row.told_ends_at or 'never'}", f"ends {ends_at or 'never'}"
    if row.told_revision == row.revision and found["collection_method"] != row.collection_method:
        yield row.collection_method, found["collection_method"]
    if found.get("pause_collection") or found["status"] == "paused":
        yield "collected", "collection paused"
    yield from list_cycle_differences(row, items)


def list_cycle_differences(
    row: StripeSubscription, items: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Its cycles must be those that were foreseen: what periods are compared with is foreseen."""
    cycles = {(each["current_period_start"], each["current_period_end"]) for each in items.values()}
    for start, end in cycles:
        told = read_time(start), read_time(end)
        if told[0] is None or told[0] < (row.cycle_starts_at or row.starts_at):
            continue
        foreseen = find_cycle(describe_hanging(row), told[0])
        if foreseen != told:
            yield f"cycle {foreseen[0]} – {foreseen[1]}", f"cycle {told[0]} – {told[1]}"


def tell_again(row_id: int) -> None:
    """Have Stripe told once more what it was told of a subscription: somebody changed it there."""
    known = StripeSubscription.objects.filter(pk=row_id, closed_at__isnull=True, told_revision=F("revision"))
    known.update(revision=F("revision") + 1)


@transaction.atomic
def mirror_anew(row_id: int, *, at: datetime) -> None:
    """Let a subscription that somebody ended in Stripe be over: with the next period a new one is made.

    Quiet where that was done. Raises ValueError while it is alive in Stripe.
    """
    row = StripeSubscription.objects.select_for_update().get(pk=row_id)
    if row.closed_at is not None:
        return
    if row.status not in ENDED:
        raise ValueError(f"{row.stripe_id} is alive in Stripe")
    row.ends_at = max(row.starts_at, min(at, row.ends_at or at))
    row.closed_at = at
    row.save(update_fields=["ends_at", "closed_at"])
    StripeMirroring.objects.filter(pk=row.subscription_id).update(due_at=at, problem="")
    close_drift(DRIFT, name_drift(row), at=at, note="mirrored anew")
