"""Tell Stripe of a subscription, one call after the other, until it has what Palier's rows say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from billing.models import StripeCall, StripeMirroring, StripeSubscription, Subscription
from billing.stripe.catalogue.lookup import NotInStripe, find_version_prices
from billing.stripe.drifts import open_drift
from billing.stripe.errors import Refused
from billing.stripe.gateway import perform, read
from billing.stripe.mirroring.customers import look_at_customer
from billing.stripe.mirroring.planning import LOOK_AGAIN, SEND, Deed, Step, count_payment_days, plan_step
from billing.stripe.subscriptions import DRIFT, ENDED, name_drift
from jobs.queue import Postponed

if TYPE_CHECKING:
    from stripe import RequestOptions, StripeClient
    from stripe import Subscription as Stripes

MISSING = "resource_missing"
UPDATE = "subscription.update"
EPOCH, SECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=1)
FEE = "fee"  # what the carrier is among the items
MOST_ITEMS = 20  # that a subscription in Stripe may have
MOST_STEPS = 8  # more than it takes to end one and begin another; each is stored, so what is left goes on later


@dataclass(frozen=True, slots=True)
class Item:
    """A price on a subscription; a licensed one has a quantity, a metered one has none."""

    price_id: str
    quantity: int | None

    def describe(self) -> dict[str, Any]:
        return {"price": self.price_id} if self.quantity is None else {"price": self.price_id, "quantity": 0}


def mirror_subscription(subscription_id: int, *, at: datetime) -> None:
    """Have Stripe know what Palier's rows say of it. Safe to run twice, at once, and after a death at any point.

    What Stripe refuses stops it, and is shown. Raises TryLater, Unresolved.
    """
    for _ in range(MOST_STEPS):
        step = plan_step(subscription_id, at=at)
        if step is None:
            return
        try:
            take_step(step, at=at)
        except Refused as refusal:
            if not is_over(step, refusal, at=at):
                note_refusal(step, refusal, at=at)
                return
    raise Postponed(at + LOOK_AGAIN, "more steps than expected")


def take_step(step: Step, *, at: datetime) -> None:
    match step.deed:
        case Deed.CREATE:
            create(step.row, at=at)
        case Deed.UPDATE:
            update(step.row, at=at)
        case Deed.CANCEL:
            cancel(step.row, at=at)
        case Deed.CONFIRM:
            confirm(step.row, at=at)


def create(row: StripeSubscription, *, at: datetime) -> None:
    items = list_items(row, at=at)
    params = describe_new(row, items)

    def send(client: "StripeClient", options: "RequestOptions") -> "Stripes":
        return client.v1.subscriptions.create(params, options)  # type: ignore[arg-type]

    def find(client: "StripeClient") -> "Stripes | None":
        page = client.v1.subscriptions.list({"customer": row.customer_id, "status": "all", "limit": 100})
        return next((each for each in page.data if each.metadata["palier_stretch"] == name_stretch(row)), None)

    body = perform("subscription.create", name_stretch(row), params, send, find=find, at=at).body
    note_created(row, body, items)


def name_stretch(row: StripeSubscription) -> str:
    return f"{row.subscription_id} {row.starts_at:%Y-%m-%dT%H:%M:%SZ} {row.pk}"


def list_items(row: StripeSubscription, *, at: datetime) -> dict[str, Item]:
    """What the subscription is made of: a fee that carries it, what Stripe's meters can charge, the other fees.

    Raises Postponed while the catalogue is not there.
    """
    try:
        prices = find_version_prices(row.version_id)
    except NotInStripe as error:
        raise Postponed(at + LOOK_AGAIN, str(error)) from error
    fees = {str(key): Item(price_id, 0) for key, price_id in sorted(prices.fees.items())}
    metered = {str(key): Item(price_id, None) for key, price_id in sorted(prices.metered.items())}
    first, *others = (fees or {FEE: Item(prices.carrier, 0)}).items()
    return dict([first, *metered.items(), *others][:MOST_ITEMS])


def describe_new(row: StripeSubscription, items: Mapping[str, Item]) -> dict[str, Any]:
    """The parameters of a new subscription: nothing is asked ahead, or for what lies before its first whole cycle."""
    params: dict[str, Any] = {
        "customer": row.customer_id,
        "items": [each.describe() for each in items.values()],
        "billing_mode": {"type": "flexible"},
        "proration_behavior": "none",
        "metadata": {"palier_subscription": str(row.subscription_id), "palier_stretch": name_stretch(row)},
    }
    return params | describe_collection(row) | describe_times(row)


def describe_times(row: StripeSubscription) -> dict[str, Any]:
    times: dict[str, Any] = {}
    if row.trial_ends_at is not None:
        times["trial_end"] = write_time(row.trial_ends_at)
    if row.anchor_day is not None:
        anchor = row.anchor.astimezone(UTC)
        clock = {"hour": anchor.hour, "minute": anchor.minute, "second": anchor.second}
        times["billing_cycle_anchor_config"] = {"day_of_month": row.anchor_day, **clock}
    elif row.anchor != row.trial_ends_at:
        times["billing_cycle_anchor"] = write_time(row.anchor)
    if row.is_backdated:
        times["backdate_start_date"] = write_time(row.starts_at)
    return times


def describe_collection(row: StripeSubscription) -> dict[str, Any]:
    days = {"days_until_due": count_payment_days()} if row.collection_method == SEND else {}
    return {"collection_method": row.collection_method, **days}


def note_created(row: StripeSubscription, body: Mapping[str, Any], items: Mapping[str, Item]) -> None:
    """Keep what Stripe made of it; its own word on where its cycles begin is what periods are compared with."""
    made = {each["price"]["id"]: each for each in body["items"]["data"]}
    first = next(iter(made.values()))
    StripeSubscription.objects.filter(pk=row.pk, stripe_id__isnull=True).update(
        stripe_id=body["id"],
        status=body["status"],
        items={key: made[item.price_id]["id"] for key, item in items.items() if item.price_id in made},
        cycle_starts_at=read_time(first["current_period_start"]),
        anchor=read_time(body["billing_cycle_anchor"]),
        told_revision=row.revision,
        told_ends_at=read_time(body["cancel_at"]),
    )


def update(row: StripeSubscription, *, at: datetime) -> None:
    """Tell when it ends, or that it does not after all, and how what is due is collected."""
    params: dict[str, Any] = {
        "cancel_at": "" if row.ends_at is None else write_time(row.ends_at),
        "proration_behavior": "none",
    }
    params |= describe_collection(row)

    def send(client: "StripeClient", options: "RequestOptions") -> "Stripes":
        return client.v1.subscriptions.update(read_id(row), params, options)  # type: ignore[arg-type]

    def find(client: "StripeClient") -> "Stripes | None":
        found = client.v1.subscriptions.retrieve(read_id(row))
        ends_at = None if row.ends_at is None else write_time(row.ends_at)
        return found if (found.cancel_at, found.collection_method) == (ends_at, row.collection_method) else None

    key = f"{name_stretch(row)} {row.revision}"
    body = perform(UPDATE, key, {"id": row.stripe_id} | params, send, find=find, at=at).body
    StripeSubscription.objects.filter(pk=row.pk, told_revision__lt=row.revision).update(
        status=body["status"], told_revision=row.revision, told_ends_at=row.ends_at
    )


def cancel(row: StripeSubscription, *, at: datetime) -> None:
    """End it now: usage that is on no invoice yet stays off Stripe's, as Palier bills that part by lines."""
    params = {"invoice_now": False, "prorate": False}

    def send(client: "StripeClient", options: "RequestOptions") -> "Stripes":
        return client.v1.subscriptions.cancel(read_id(row), {"invoice_now": False, "prorate": False}, options)

    def find(client: "StripeClient") -> "Stripes | None":
        found = client.v1.subscriptions.retrieve(read_id(row))
        return found if found.status in ENDED else None

    body = perform(
        "subscription.cancel", name_stretch(row), {"id": row.stripe_id} | params, send, find=find, at=at
    ).body
    close(row, body["status"], at=at)


def confirm(row: StripeSubscription, *, at: datetime) -> None:
    """See that Stripe ended it as it was told to. Raises Postponed while it did not."""
    found = read(lambda client: client.v1.subscriptions.retrieve(read_id(row)), at=at)
    if found.status not in ENDED:
        raise Postponed(at + LOOK_AGAIN, f"{row.stripe_id} was to end at {row.ends_at}")
    close(row, found.status, at=at)


def close(row: StripeSubscription, status: str, *, at: datetime) -> None:
    StripeSubscription.objects.filter(pk=row.pk, closed_at__isnull=True).update(
        status=status, closed_at=at, told_ends_at=row.ends_at, told_revision=row.revision
    )


def is_over(step: Step, refusal: Refused, *, at: datetime) -> bool:
    """Whether a refusal needs nobody: it ended before we said so, or as we had said before, or what was never made is
    not wanted now.
    """
    row = step.row
    if step.deed is Deed.CREATE and min(row.anchor, row.trial_ends_at or row.anchor) <= at:
        StripeSubscription.objects.filter(pk=row.pk, stripe_id__isnull=True).delete()
        return True
    if step.deed in (Deed.CANCEL, Deed.UPDATE) and row.ends_at is not None and row.ends_at <= at:
        status = read_status(row, at=at)
        if status in ENDED:
            close(row, status, at=at)
            return True
    if step.deed is Deed.UPDATE and read_status(row, at=at) in ENDED:
        return row.told_ends_at is not None and row.told_ends_at <= at
    return False


def read_status(row: StripeSubscription, *, at: datetime) -> str:
    """What Stripe says of it; empty where it knows no such subscription."""
    try:
        found = read(lambda client: client.v1.subscriptions.retrieve(read_id(row)), at=at)
    except Refused as refusal:
        if refusal.code != MISSING:
            raise
        return ""
    note_status(row, found.to_dict())
    return row.status


def note_status(row: StripeSubscription, found: Mapping[str, Any]) -> None:
    """Keep what it is there; and when it was told to end, where it did so and the answer to that had been lost."""
    row.status = found["status"]
    if row.status in ENDED and found["cancel_at"] and found["cancel_at"] <= found["ended_at"]:
        told = StripeCall.objects.filter(operation=UPDATE, key__startswith=f"{name_stretch(row)} ")
        if told.filter(params__cancel_at=found["cancel_at"]).exists():
            row.told_ends_at = read_time(found["cancel_at"])
    row.save(update_fields=["status", "told_ends_at"])


def note_refusal(step: Step, refusal: Refused, *, at: datetime) -> None:
    """Stop, and show why: at the customer where that one is gone, else at the subscription."""
    row = step.row
    account_id = Subscription.objects.values_list("account_id", flat=True).get(pk=row.subscription_id)
    if refusal.code == MISSING and not look_at_customer(account_id, at=at):
        return
    if step.deed is not Deed.CREATE and (status := read_status(row, at=at)) in ENDED:
        show_drift(name_drift(row), account_id, "goes on", status, cause="changed in Stripe", at=at)
        return
    StripeMirroring.objects.filter(pk=row.subscription_id).update(problem=refusal.message)
    ours = f"{step.deed.value} {name_stretch(row)}"
    show_drift(str(row.subscription_id), account_id, ours, refusal.message, cause="refused by Stripe", at=at)


def show_drift(key: str, account_id: int, ours: str, theirs: str, *, cause: str, at: datetime) -> None:
    open_drift(DRIFT, key, account_id=account_id, ours=ours, theirs=theirs, cause=cause, at=at)


def read_id(row: StripeSubscription) -> str:
    if row.stripe_id is None:
        raise ValueError(f"{name_stretch(row)} is not in Stripe yet")
    return row.stripe_id


def write_time(moment: datetime) -> int:
    return (moment - EPOCH) // SECOND


def read_time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
