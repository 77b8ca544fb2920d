"""Tell Stripe who pays, each time that the billing profile moved."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction

from billing.models import BillingProfile, CustomerProblem, StripeCustomer
from billing.profiles import ProfileFact, describe_profile
from billing.stripe.customers import FINGERPRINT, forget_card, note_problem
from billing.stripe.details import TaxNumber, describe_details, find_tax_number
from billing.stripe.errors import Refused
from billing.stripe.gateway import perform, read
from billing.stripe.mirroring.promising import promise_account

if TYPE_CHECKING:
    from stripe import Customer, RequestOptions, StripeClient, TaxId

MISSING = "resource_missing"
UPDATE = "customer.update"


class Ambiguous(LookupError):
    """Several customers in Stripe say that they are this account."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What Stripe is to know of an account, as of one revision."""

    account_id: int
    number: int
    revision: int
    stripe_id: str | None
    profile: ProfileFact

    @property
    def name(self) -> str:
        return f"{self.account_id} {self.number}"


def mirror_customer(account_id: int, *, at: datetime) -> None:
    """Have Stripe know who pays for the account. Safe to run twice, and after a death between any two calls.

    A customer that is gone, or that Stripe refuses, stops it: a problem that a person settles. Raises TryLater,
    Unresolved.
    """
    wish = state_wish(account_id)
    if wish is None:
        return
    try:
        stripe_id = wish.stripe_id or create(wish, at=at)
        tell_details(wish, stripe_id, at=at)
        tell_tax_number(wish, stripe_id, at=at)
        note_told(wish, at=at)
    except Ambiguous as error:
        note_problem(account_id, CustomerProblem.AMBIGUOUS, str(error), at=at)
    except Refused as refusal:
        if refusal.code == MISSING:
            look_at_customer(account_id, at=at)
        note_problem(account_id, CustomerProblem.REFUSED, refusal.message, at=at)


@transaction.atomic
def state_wish(account_id: int) -> Wish | None:
    """Store that Stripe is to know the profile as it is; None where it does, or may not be told."""
    customer = StripeCustomer.objects.select_for_update().get(pk=account_id)
    profile = BillingProfile.objects.annotate(mark=FINGERPRINT).get(pk=account_id)
    if customer.problem:
        return None
    if customer.fingerprint != profile.mark:
        customer.fingerprint, customer.revision = profile.mark, customer.revision + 1
        customer.save(update_fields=["fingerprint", "revision"])
    if customer.stripe_id and customer.told_revision == customer.revision:
        return None
    return Wish(account_id, customer.number, customer.revision, customer.stripe_id, describe_profile(profile))


def create(wish: Wish, *, at: datetime) -> str:
    """Made bare, so that making it again asks for the same; found by its metadata where it is there already."""
    metadata = {"palier_account": str(wish.account_id), "palier_number": str(wish.number)}

    def send(client: "StripeClient", options: "RequestOptions") -> "Customer":
        return client.v1.customers.create({"metadata": metadata}, options)

    found = read(lambda client: find_customer(client, wish), at=at)
    if found is None:
        find = partial(find_customer, wish=wish)
        stripe_id = perform("customer.create", wish.name, {"metadata": metadata}, send, find=find, at=at).stripe_id
    else:
        stripe_id = found.id
    with transaction.atomic():
        made = StripeCustomer.objects.filter(pk=wish.account_id, number=wish.number, stripe_id__isnull=True)
        if made.update(stripe_id=stripe_id):
            promise_account(wish.account_id, at=at)
    return stripe_id


def find_customer(client: "StripeClient", wish: Wish) -> "Customer | None":
    """Raises Ambiguous."""
    query = f"metadata['palier_account']:'{wish.account_id}' AND metadata['palier_number']:'{wish.number}'"
    found = client.v1.customers.search({"query": query, "limit": 2}).data
    if len(found) > 1:
        raise Ambiguous(", ".join(each.id for each in found))
    return found[0] if found else None


def tell_details(wish: Wish, stripe_id: str, *, at: datetime) -> None:
    params = describe_details(wish.profile)

    def send(client: "StripeClient", options: "RequestOptions") -> "Customer":
        return client.v1.customers.update(stripe_id, params, options)  # type: ignore[arg-type]

    def find(client: "StripeClient") -> "Customer | None":
        """Sending it again does no harm: the same details once more."""
        return None

    perform(UPDATE, f"{wish.name} {wish.revision}", {"id": stripe_id} | params, send, find=find, at=at)


def note_told(wish: Wish, *, at: datetime) -> None:
    told = StripeCustomer.objects.filter(pk=wish.account_id, number=wish.number, told_revision__lt=wish.revision)
    told.update(told_revision=wish.revision, synced_at=at)


def tell_tax_number(wish: Wish, stripe_id: str, *, at: datetime) -> None:
    """File the tax number where Stripe has a place for it, in place of the one before.

    One that Stripe finds wrong is left out: the customer's metadata has it either way, and Palier's invoice.
    """
    customer = StripeCustomer.objects.get(pk=wish.account_id)
    wanted = find_tax_number(wish.profile)
    if customer.tax_number == (wanted.value if wanted else ""):
        return
    if customer.tax_id:
        remove_tax_number(customer.tax_id, stripe_id, at=at)
    tax_id = add_tax_number(wish, wanted, stripe_id, at=at) if wanted else ""
    StripeCustomer.objects.filter(pk=wish.account_id, number=wish.number).update(
        tax_id=tax_id, tax_number=wanted.value if wanted else ""
    )


def remove_tax_number(tax_id: str, stripe_id: str, *, at: datetime) -> None:
    def send(client: "StripeClient", options: "RequestOptions") -> "TaxId":
        return client.v1.customers.tax_ids.delete(stripe_id, tax_id, {}, options)

    try:
        perform("customer.tax_id.delete", tax_id, {"id": tax_id}, send, find=lambda client: None, at=at)
    except Refused as refusal:
        if refusal.code != MISSING:
            raise


def add_tax_number(wish: Wish, wanted: TaxNumber, stripe_id: str, *, at: datetime) -> str:
    """Its id; empty where Stripe finds it wrong."""
    params: Any = {"type": wanted.type, "value": wanted.value}

    def send(client: "StripeClient", options: "RequestOptions") -> "TaxId":
        return client.v1.customers.tax_ids.create(stripe_id, params, options)

    def find(client: "StripeClient") -> "TaxId | None":
        filed = client.v1.customers.tax_ids.list(stripe_id, {"limit": 100}).data
        return next((each for each in filed if (each.type, each.value) == (wanted.type, wanted.value)), None)

    key = f"{wish.name} {wish.revision}"
    try:
        return perform("customer.tax_id.create", key, {"id": stripe_id} | params, send, find=find, at=at).stripe_id
    except Refused as refusal:
        if refusal.code == MISSING:
            raise
        return ""


def look_at_customer(account_id: int, *, at: datetime) -> bool:
    """Read the customer anew: its card, and whether it is there at all. False where nothing may be told any more."""
    customer = StripeCustomer.objects.get(pk=account_id)
    stripe_id = customer.stripe_id
    if not stripe_id:
        return False
    expand = ["invoice_settings.default_payment_method"]
    try:
        found = read(lambda client: client.v1.customers.retrieve(stripe_id, {"expand": expand}), at=at).to_dict()
    except Refused as refusal:
        if refusal.code != MISSING:
            raise
        found = {"deleted": True}
    if found.get("deleted"):
        note_gone(customer, at=at)
        return False
    note_card(account_id, stripe_id, found["invoice_settings"]["default_payment_method"], at=at)
    return not customer.problem


def note_gone(customer: StripeCustomer, *, at: datetime) -> None:
    """Deleted; or merged, where another customer in Stripe now says that it is this account."""
    query = f"metadata['palier_account']:'{customer.account_id}'"
    others = read(lambda client: client.v1.customers.search({"query": query, "limit": 10}), at=at).data
    alive = [each.id for each in others if each.id not in (customer.stripe_id, *customer.former_ids)]
    if alive:
        detail = f"{customer.stripe_id} is gone, {alive[0]} says that it is this account"
        note_problem(customer.account_id, CustomerProblem.MERGED, detail, at=at)
    else:
        note_problem(customer.account_id, CustomerProblem.DELETED, f"{customer.stripe_id} is gone", at=at)


def note_card(account_id: int, stripe_id: str, found: dict[str, Any] | str | None, *, at: datetime) -> None:
    """Keep what may be shown of the payment method; how invoices are collected depends on whether there is one."""
    with transaction.atomic():
        customer = StripeCustomer.objects.select_for_update().get(pk=account_id)
        if customer.stripe_id != stripe_id:
            return
        had_one = bool(customer.payment_method_id)
        forget_card(customer)
        if isinstance(found, dict):
            card = found.get("card") or {}
            customer.payment_method_id = found["id"]
            customer.card_brand, customer.card_last4 = card.get("brand") or found["type"], card.get("last4") or ""
            customer.card_expires = date(card["exp_year"], card["exp_month"], 1) if card else None
        customer.save()
        if had_one != bool(customer.payment_method_id):
            promise_account(account_id, at=at)
