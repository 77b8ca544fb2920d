"""From a free plan to another: a card is entered on Stripe's page, then the plan changes. Never the other way round.

A click is a row, named by a token that its form drew: however often it is sent, there is one page, and one change.
What Stripe tells of the page, and whoever comes back from it, both end it the same way.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import get_language, gettext, gettext_noop

from billing.models import CheckoutState, StripeCheckout
from billing.parts import MoveRefused
from billing.plans import UnknownPlan, find_offer
from billing.stripe.customers import connect_account, require_customer
from billing.stripe.gateway import perform, read
from billing.stripe.mirroring.customers import look_at_customer, mirror_customer
from billing.stripe.pages import require_page
from billing.stripe.upgrades import Upgrade, UpgradeRefused, asks_nothing, find_upgrade
from billing.subscriptions import MeterTaken
from billing.switching import change_plan

if TYPE_CHECKING:
    from stripe import Customer, RequestOptions, StripeClient
    from stripe.checkout import Session

OFFER_CHANGED = gettext_noop(
    "The offer has changed since you looked at it. Your card is kept; look at the offer again."
)
MOVED_MEANWHILE = gettext_noop("Your plan has changed meanwhile. Your card is kept.")
NO_CARD = gettext_noop("No card could be kept. Nothing has changed.")


class UnknownCheckout(LookupError):
    """This account has no checkout of that token."""


@dataclass(frozen=True, slots=True)
class CheckoutFact:
    """One click. `state` is open, done, expired or refused, and then `reason` says why; `url` is Stripe's page."""

    id: int
    token: UUID
    plan_slug: str
    plan_name: str
    state: str
    url: str
    reason: str


def begin_checkout(
    account_id: int,
    plan_slug: str,
    version_id: int,
    token: UUID,
    *,
    by: int | None,
    success_url: str,
    cancel_url: str,
    at: datetime,
) -> CheckoutFact:
    """Have the customer enter a card, or change the plan at once where there is one. The same token, the same answer.

    `version_id` is what the customer saw. Raises UpgradeRefused, Refused, TryLater.
    """
    known = find_checkout(account_id, token)
    if known is None:
        upgrade = find_upgrade(account_id, plan_slug, at=at)
        if upgrade.terms.version_id != version_id:
            raise UpgradeRefused(gettext(OFFER_CHANGED))
        known = keep_click(upgrade, token, by=by, at=at)
    if known.state != CheckoutState.OPEN or known.url:
        return describe_checkout(known)
    connect_account(account_id, at=at)
    mirror_customer(account_id, at=at)
    customer = require_customer(account_id)
    if customer.card is not None:
        move(known.pk, at=at)
    else:
        open_page(known, customer.stripe_id, success_url=success_url, cancel_url=cancel_url, at=at)
    return read_checkout(account_id, token)


def keep_click(upgrade: Upgrade, token: UUID, *, by: int | None, at: datetime) -> StripeCheckout:
    """Whoever comes second with the same token gets the row of the first. Raises UpgradeRefused for another's token."""
    asked = {"subscription_id": upgrade.subscription.id, "version_id": upgrade.terms.version_id}
    row, _made = StripeCheckout.objects.get_or_create(
        token=token, defaults=asked | {"state": CheckoutState.OPEN, "made_by_id": by, "made_at": at}
    )
    if (row.subscription_id, row.version_id) != tuple(asked.values()):
        raise UpgradeRefused(gettext(OFFER_CHANGED))
    return row


def open_page(row: StripeCheckout, customer_id: str, *, success_url: str, cancel_url: str, at: datetime) -> None:
    """Stripe's page for a card: nothing is due now, as fees are asked when the period ends."""
    metadata = {
        "palier_checkout": str(row.token),
        "palier_account": str(row.subscription.account_id),
        "palier_plan": row.version.plan.slug,
        "palier_version": str(row.version.number),
    }
    params: dict[str, Any] = {
        "mode": "setup",
        "customer": customer_id,
        "currency": row.version.currency.lower(),
        "client_reference_id": str(row.token),
        "success_url": success_url,
        "cancel_url": cancel_url,
        "metadata": metadata,
        "setup_intent_data": {"metadata": metadata},
        "locale": get_language() or "auto",
    }

    def send(client: "StripeClient", options: "RequestOptions") -> "Session":
        return client.v1.checkout.sessions.create(params, options)  # type: ignore[arg-type]

    def find(client: "StripeClient") -> "Session | None":
        found = client.v1.checkout.sessions.list({"customer": customer_id, "limit": 100}).data
        return next((each for each in found if each.client_reference_id == str(row.token)), None)

    answer = perform("checkout.create", str(row.token), params, send, find=find, at=at)
    url = require_page(answer.body["url"])
    StripeCheckout.objects.filter(pk=row.pk, stripe_id__isnull=True).update(stripe_id=answer.stripe_id, url=url)


def settle_checkout(checkout_id: int, *, at: datetime) -> None:
    """See what became of the page: keep the card and change the plan, or note that it expired. Quiet once it ended.

    Safe to run twice and at once, and after a death between any two steps. Raises Refused, TryLater.
    """
    row = StripeCheckout.objects.select_related("subscription").get(pk=checkout_id)
    if row.state != CheckoutState.OPEN or row.stripe_id is None:
        return
    StripeCheckout.objects.filter(pk=checkout_id).update(asked_at=at)
    session_id, expand = row.stripe_id, ["setup_intent"]
    retrieve = partial(retrieve_session, session_id=session_id, expand=expand)
    session = read(retrieve, at=at).to_dict()
    if session["status"] == "expired":
        end(checkout_id, CheckoutState.EXPIRED, at=at)
    if session["status"] != "complete":
        return
    intent = session["setup_intent"] or {}
    if intent.get("status") == "processing":
        return
    method = intent.get("payment_method")
    if intent.get("status") != "succeeded" or not method:
        end(checkout_id, CheckoutState.REFUSED, reason=NO_CARD, at=at)
        return
    keep_card(row, session["customer"], method, at=at)
    move(checkout_id, at=at)


def retrieve_session(client: "StripeClient", *, session_id: str, expand: list[str]) -> "Session":
    return client.v1.checkout.sessions.retrieve(session_id, {"expand": expand})


def keep_card(row: StripeCheckout, customer_id: str, method: str, *, at: datetime) -> None:
    """What invoices are collected from, from now on."""
    params = {"invoice_settings": {"default_payment_method": method}}

    def send(client: "StripeClient", options: "RequestOptions") -> "Customer":
        return client.v1.customers.update(
            customer_id, {"invoice_settings": {"default_payment_method": method}}, options
        )

    perform("customer.card", str(row.token), {"id": customer_id} | params, send, find=lambda client: None, at=at)
    look_at_customer(row.subscription.account_id, at=at)


@transaction.atomic
def move(checkout_id: int, *, at: datetime) -> None:
    """Change the plan to what the customer saw, once. Where that cannot be, it says why, and the card is kept."""
    row = StripeCheckout.objects.select_for_update(of=("self",)).get(pk=checkout_id)
    if row.state != CheckoutState.OPEN:
        return
    if reason := try_change(row, at=at):
        end(checkout_id, CheckoutState.REFUSED, reason=reason, at=at)
    else:
        end(checkout_id, CheckoutState.DONE, at=at)


def try_change(row: StripeCheckout, *, at: datetime) -> str:
    """Why the plan cannot change; empty once it has, or had already."""
    subscription, version = row.subscription, row.version
    if subscription.version_id == version.pk:
        return ""
    if not asks_nothing(subscription.version_id):
        return MOVED_MEANWHILE
    try:
        with transaction.atomic():
            if find_offer(version.plan.slug, currency=version.currency, at=at).pk != version.pk:
                return OFFER_CHANGED
            change_plan(subscription.pk, version.plan.slug, at=at, by=row.made_by_id)
    except UnknownPlan:
        return OFFER_CHANGED
    except (MoveRefused, MeterTaken) as error:
        return str(error)
    return ""


def end(checkout_id: int, state: CheckoutState, *, at: datetime, reason: str = "") -> None:
    StripeCheckout.objects.filter(pk=checkout_id, state=CheckoutState.OPEN).update(
        state=state, reason=reason, ended_at=at, url=""
    )


def read_checkout(account_id: int, token: UUID) -> CheckoutFact:
    """Raises UnknownCheckout, also for one of another account."""
    row = find_checkout(account_id, token)
    if row is None:
        raise UnknownCheckout(f"account {account_id} has no checkout {token}")
    return describe_checkout(row)


def find_checkout(account_id: int, token: UUID) -> StripeCheckout | None:
    known = StripeCheckout.objects.filter(token=token, subscription__account_id=account_id)
    return known.select_related("subscription", "version__plan").first()


def describe_checkout(row: StripeCheckout) -> CheckoutFact:
    return CheckoutFact(
        id=row.pk,
        token=row.token,
        plan_slug=row.version.plan.slug,
        plan_name=row.version.plan.name,
        state=row.state,
        url=row.url,
        reason=gettext(row.reason) if row.reason else "",
    )
