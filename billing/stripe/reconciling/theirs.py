"""What Stripe says now: its invoices, subscriptions and customers, list by list and never one by one.

A list costs a read for each hundred. What is not on a list is asked for by itself, a few at a time: some lists leave
out what is there (a test clock's objects, say).
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from billing.models import StripeCustomer, StripeInvoice, StripeInvoiceState, StripeSubscription
from billing.stripe import subscriptions as mirrors
from billing.stripe.charging import asking
from billing.stripe.charging.amounts import read_minor, write_money
from billing.stripe.charging.told import Told, read_told
from billing.stripe.errors import Refused
from billing.stripe.gateway import Paging, list_all, read_body
from billing.stripe.mirroring.customers import look_at_customer
from billing.stripe.mirroring.watching import list_differences
from billing.stripe.moments import write_seconds
from billing.stripe.reconciling.findings import Finding, Looked, Scope

if TYPE_CHECKING:
    from stripe import Customer, Invoice, ListObject, StripeClient, Subscription

STALE, UNKNOWN, GONE = "invoice_stale", "invoice_unknown", "invoice_gone"
PATIENCE = timedelta(hours=1)  # a webhook may be on its way
SINGLES = 20  # asked for one by one, in one look


def look_at_invoices(scope: Scope) -> Looked:
    """Those that Stripe made since then, against what it told us of them."""
    looked = Looked()
    params: dict[str, Any] = {"created": {"gte": write_seconds(scope.since)}}
    customers = read_customers(scope)
    if scope.account_id is not None:
        if not customers:
            return looked
        params["customer"] = next(iter(customers))

    def send(client: "StripeClient", paging: Paging) -> "ListObject[Invoice]":
        return client.v1.invoices.list(cast(Any, params | paging))

    listed = {told.stripe_id: told for told in (read_told(read_body(each)) for each in list_all(send, at=scope.at))}
    rows = read_rows(scope)
    for stripe_id, told in listed.items():
        looked.check(stripe_id, STALE, UNKNOWN, GONE)
        row = rows.get(stripe_id)
        if row is not None:
            looked.findings += find_news(row, told, scope)
        elif told.customer in customers:
            looked.findings += find_strange(told, customers[told.customer], scope)
    missing = [row for stripe_id, row in rows.items() if stripe_id not in listed and row.created_at >= scope.since]
    for row in missing[:SINGLES]:
        looked.check(row.stripe_id, STALE, GONE)
        looked.findings += find_gone(row, scope)
    return looked


def read_customers(scope: Scope) -> dict[str, int]:
    """Customer in Stripe → account."""
    rows = StripeCustomer.objects.filter(stripe_id__isnull=False, problem="")
    if scope.account_id is not None:
        rows = rows.filter(account_id=scope.account_id)
    return {str(stripe_id): account for stripe_id, account in rows.values_list("stripe_id", "account_id")}


def read_rows(scope: Scope) -> dict[str, StripeInvoice]:
    """All that may be on the list: Stripe's clock is not quite ours."""
    rows = StripeInvoice.objects.exclude(state=StripeInvoiceState.DELETED)
    rows = rows.filter(created_at__gte=scope.since - timedelta(days=1)).select_related("invoice")
    if scope.account_id is not None:
        rows = rows.filter(account_id=scope.account_id)
    return {row.stripe_id: row for row in rows}


def find_news(row: StripeInvoice, told: Told, scope: Scope) -> Iterator[Finding]:
    """Where Stripe is further than what we heard, for an hour."""
    ours = row.state, row.total_minor, row.paid_minor
    theirs = told.status, read_minor(told.total, row.currency), read_minor(told.amount_paid, row.currency)
    is_draft = (
        told.is_draft and row.state == StripeInvoiceState.DRAFT
    )  # which follows its meters, and is compared later
    if ours == theirs or is_draft or row.read_at > scope.at - PATIENCE:
        return
    yield Finding(
        STALE,
        row.stripe_id,
        row.account_id,
        describe(*ours, row.currency),
        describe(*theirs, row.currency),
        f"Invoice {row.invoice or row.stripe_id}: what happened there was not heard here.",
        ours[1] - theirs[1] or ours[2] - theirs[2],
        row.currency,
    )


def find_strange(told: Told, account_id: int, scope: Scope) -> Iterator[Finding]:
    """One that asks something and is none of ours. The first one of a subscription asks nothing."""
    if told.total <= 0 or told.created_at is None or told.created_at > scope.at - PATIENCE:
        return
    amount = read_minor(told.total, told.currency)
    theirs = f"{told.status} {write_money(amount, told.currency)}"
    cause = f"{told.stripe_id} ({told.billing_reason}) asks for something that Palier did not."
    yield Finding(UNKNOWN, told.stripe_id, account_id, "no invoice", theirs, cause, -amount, told.currency)


def find_gone(row: StripeInvoice, scope: Scope) -> Iterator[Finding]:
    try:
        yield from find_news(row, asking.read_invoice(row.stripe_id, at=scope.at), scope)
    except Refused as refusal:
        if not asking.is_missing(refusal):
            raise
        ours = describe(row.state, row.total_minor, row.paid_minor, row.currency)
        yield Finding(GONE, row.stripe_id, row.account_id, ours, "gone", "Somebody deleted it in Stripe.")


def describe(state: str, total: int, paid: int, currency: str) -> str:
    return f"{state}, {write_money(total, currency)}, {write_money(paid, currency)} paid"


def look_at_subscriptions(scope: Scope) -> Looked:
    """Those that go on, against what they were told to be."""
    looked = Looked()
    rows = StripeSubscription.objects.filter(closed_at__isnull=True, stripe_id__isnull=False)
    if scope.account_id is not None:
        rows = rows.filter(subscription__account_id=scope.account_id)
    live = {str(row.stripe_id): row for row in rows.select_related("subscription", "version")}
    if not live:
        return looked
    params = {"customer": next(iter(live.values())).customer_id} if scope.account_id is not None else {}

    def send(client: "StripeClient", paging: Paging) -> "ListObject[Subscription]":
        return client.v1.subscriptions.list(cast(Any, params | paging))

    listed = {each.id: each.to_dict() for each in list_all(send, at=scope.at)}
    for stripe_id, row in live.items():
        looked.check(mirrors.name_drift(row), mirrors.DRIFT)
        found = listed.get(stripe_id)
        told = list(list_differences(row, found)) if found else [("goes on", "ended, or is gone")]
        if told and not (row.told_ends_at is not None and row.told_ends_at <= scope.at):
            ours, theirs = ("; ".join(side) for side in zip(*told, strict=True))
            account_id = row.subscription.account_id
            cause = "changed in Stripe"
            looked.findings.append(Finding(mirrors.DRIFT, mirrors.name_drift(row), account_id, ours, theirs, cause))
    return looked


def look_at_customers(scope: Scope) -> Looked:
    """Who is not on Stripe's list is looked at by itself, which notes what became of it, with a drift."""
    wanted = read_customers(scope)
    if scope.account_id is not None:
        missing = list(wanted.values())
    else:

        def send(client: "StripeClient", paging: Paging) -> "ListObject[Customer]":
            return client.v1.customers.list(cast(Any, paging))

        listed = {each.id for each in list_all(send, at=scope.at)} if wanted else set()
        missing = [account for stripe_id, account in wanted.items() if stripe_id not in listed]
    for account_id in missing[:SINGLES]:
        look_at_customer(account_id, at=scope.at)
    return Looked()
