"""Telling Stripe the catalogue: a row and a job for each object, each step of which may be done again.

What is to be told is fixed when its job is promised, with a revision that names the calls: a run that was killed
between a call and its record repeats the same call, which the gateway answers. A later change is another revision.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction

from billing.models import StripeKind, StripeObject
from billing.stripe.calls import find_fingerprint
from billing.stripe.catalogue.resources import RESOURCE_OF, Call, Resource, Told
from billing.stripe.catalogue.wanting import Wanted, list_wanted
from billing.stripe.client import is_on
from billing.stripe.drifts import close_drift, open_drift
from billing.stripe.errors import Refused, is_missing
from billing.stripe.gateway import list_all, perform, read
from jobs.queue import JobContext, enqueue

if TYPE_CHECKING:
    from stripe import StripeClient
    from stripe import StripeObject as Found

TELL_OBJECT = "stripe.tell_object"
PROMISE_CATALOGUE = "stripe.promise_catalogue"
DRIFT = "catalogue"
NEEDED = {StripeKind.PRODUCT, StripeKind.METER}  # what prices name


def sync_catalogue(at: datetime, *, again: bool = False) -> int:
    """Promise a job for each object that Stripe does not have as it is here; return how many. Off: none.

    What was refused is asked for anew only with `again`; what is under way is left alone.
    """
    return promise_due(at, again=again) if is_on() else 0


@transaction.atomic
def promise_due(at: datetime, *, again: bool = False) -> int:
    ids = {
        (row.kind, row.key): row.stripe_id
        for row in StripeObject.objects.filter(kind__in=NEEDED).exclude(stripe_id="").order_by()
    }
    wanted = list(list_wanted(ids))
    StripeObject.objects.bulk_create(
        [StripeObject(kind=each.kind, key=each.key) for each in wanted], ignore_conflicts=True
    )
    by_name = {each.name: each for each in wanted}
    due = []
    for row in StripeObject.objects.select_for_update().order_by("pk"):
        each = by_name.get((row.kind, row.key))
        if each is not None and is_due(row, each, again=again):
            due.append(row)
            promise(row, each, at=at)
    StripeObject.objects.bulk_update(due, ["revision"])
    return len(due)


def is_due(row: StripeObject, wanted: Wanted, *, again: bool) -> bool:
    if row.revision > row.told or wanted.terms is None or (row.problem and not again):
        return False
    is_same = row.fingerprint == wanted.fingerprint and row.label == wanted.label
    return not (row.stripe_id and is_same and row.is_active and not row.problem)


def promise(row: StripeObject, wanted: Wanted, *, at: datetime) -> None:
    row.revision += 1
    payload = {
        "kind": row.kind,
        "key": row.key,
        "revision": row.revision,
        "label": wanted.label,
        "terms": wanted.terms,
        "is_inactive": not row.is_active,
    }
    enqueue(TELL_OBJECT, name_job(row), payload, at=at)


def name_job(row: StripeObject) -> str:
    return f"{row.kind}:{row.key}:{row.revision}"


def tell_object(job: JobContext) -> Callable[[], object] | None:
    """The errand: make, change or replace one object. What it returns records that it is so."""
    payload = job.payload
    told = Told(
        kind=StripeKind(payload["kind"]),
        key=payload["key"],
        revision=payload["revision"],
        label=payload["label"],
        terms=payload["terms"],
        is_inactive=payload["is_inactive"],
    )
    row = StripeObject.objects.get(kind=told.kind, key=told.key)
    if row.told >= told.revision:
        return None
    try:
        stripe_id = settle_object(row, told, at=job.at)
    except Refused as refusal:
        return partial(record_problem, told, str(refusal), at=job.at)
    return partial(record_told, told, stripe_id, at=job.at)


def settle_object(row: StripeObject, told: Told, *, at: datetime) -> str:
    """The id that the object has in Stripe from now on. Raises what `perform` raises."""
    resource = RESOURCE_OF[told.kind]
    is_other = row.fingerprint != find_fingerprint(told.terms)
    if row.stripe_id and not is_other:
        try:
            for call in resource.change(row.stripe_id, told):
                make_call(call, told, at=at)
            return row.stripe_id
        except Refused as refusal:
            if not is_missing(refusal):
                raise  # what is no longer there is made anew
    if row.stripe_id and resource.frees_name:
        put_away(resource, row.stripe_id, told, at=at)
    stripe_id = create_object(resource, told, at=at)
    if row.stripe_id and not resource.frees_name:
        put_away(resource, row.stripe_id, told, at=at)
    return stripe_id


def create_object(resource: Resource, told: Told, *, at: datetime) -> str:
    """Raises Refused, unless what has its name is what would be made: then that is taken over."""
    find = partial(find_created, resource, told, at=at)
    try:
        return make_call(resource.create(told), told, at=at, find=find)
    except Refused:
        if not resource.frees_name or (found := read(find, at=at)) is None:
            raise
        return resource.see(found).stripe_id


def find_created(resource: Resource, told: Told, client: "StripeClient", *, at: datetime) -> "Found | None":
    return next((found for found in list_all(resource.list_page, at=at) if resource.is_made_by(found, told)), None)


def put_away(resource: Resource, stripe_id: str, told: Told, *, at: datetime) -> None:
    """Those who have it keep it; nobody gets it anew."""
    try:
        make_call(resource.put_away(stripe_id), told, at=at)
    except Refused as refusal:
        if not is_missing(refusal):
            raise


def make_call(
    call: Call, told: Told, *, at: datetime, find: "Callable[[StripeClient], Found | None] | None" = None
) -> str:
    key = f"{told.kind}:{told.key}:{told.revision}"
    return perform(call.operation, key, call.params, call.send, at=at, find=find or repeat_anyway).stripe_id


def repeat_anyway(client: "StripeClient") -> None:
    """What an object is called may be told twice: there is nothing to look up."""


def record_told(told: Told, stripe_id: str, *, at: datetime) -> None:
    """In the transaction that marks the job done. Prices may wait for a product or a meter that has just come."""
    row = StripeObject.objects.select_for_update().get(kind=told.kind, key=told.key)
    is_new = row.stripe_id != stripe_id
    if is_new and row.stripe_id:
        row.former_ids = [*row.former_ids, row.stripe_id]
    row.stripe_id, row.label, row.fingerprint = stripe_id, told.label, find_fingerprint(told.terms)
    row.is_active, row.told, row.synced_at, row.problem = True, told.revision, at, ""
    row.save()
    close_drift(DRIFT, name_drift(row), at=at, note=f"told Stripe again: {stripe_id}")
    if is_new and told.kind in NEEDED:
        enqueue(PROMISE_CATALOGUE, name_job(row), at=at)


def record_problem(told: Told, problem: str, *, at: datetime) -> None:
    row = StripeObject.objects.select_for_update().get(kind=told.kind, key=told.key)
    row.told, row.problem = told.revision, problem
    row.save()
    name = name_drift(row)
    open_drift(DRIFT, name, account_id=None, ours=told.label, theirs=row.label, cause=problem, at=at)


def name_drift(row: StripeObject) -> str:
    return f"{row.kind}:{row.key}"
