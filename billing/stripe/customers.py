"""Which accounts are charged through Stripe, and by which customer there.

Palier's billing profile is the truth: what moves in it goes out. A customer that is gone in Stripe stops that, and a
person decides; nothing is made anew by itself.
"""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import F, OuterRef, Q, Subquery, TextField, Value
from django.db.models.functions import MD5, Concat

from billing import profiles
from billing.models import BillingProfile, CustomerProblem, StripeCustomer, StripeSubscription
from billing.stripe import subscriptions as mirrors
from billing.stripe.drifts import close_drift, open_drift
from billing.stripe.mirroring.promising import promise_account
from jobs.queue import enqueue

MIRROR_CUSTOMER = "stripe: mirror a customer"
DRIFT = "customer"
# What of a profile Stripe is told. The database computes it, so that a look at all that moved reads no profile.
DETAILS = ["legal_name", "email", "address", "country", "tax_number", "language"]
FINGERPRINT = MD5(Concat(*[part for name in DETAILS for part in (F(name), Value("\x1f"))], output_field=TextField()))
FINGERPRINT_OF_CUSTOMER = BillingProfile.objects.filter(pk=OuterRef("pk")).values(mark=FINGERPRINT)


class CustomerNotReady(ValueError):
    """The account is not charged through Stripe yet, or a problem with its customer there is not settled."""


class NothingToRepair(ValueError):
    """The customer has no problem."""


@dataclass(frozen=True, slots=True)
class CardFact:
    """What a customer may see of a card. It expires with the month of `expires`, its first day."""

    brand: str
    last4: str
    expires: date | None


@dataclass(frozen=True, slots=True)
class CustomerFact:
    """An account that is charged through Stripe. `stripe_id` is empty until Stripe has answered.

    Nothing may be told to Stripe about it while it is not ready: it is not there yet, or a person has to decide.
    """

    account_id: int
    stripe_id: str
    payment_method_id: str
    card: CardFact | None
    problem: str
    problem_detail: str

    @property
    def is_ready(self) -> bool:
        return bool(self.stripe_id) and not self.problem


def read_customer(account_id: int) -> CustomerFact | None:
    """None where the account is not charged through Stripe."""
    customer = StripeCustomer.objects.filter(pk=account_id).first()
    return None if customer is None else describe_customer(customer)


def require_customer(account_id: int) -> CustomerFact:
    """The customer that something may be told about. Raises CustomerNotReady."""
    customer = read_customer(account_id)
    if customer is None or not customer.is_ready:
        raise CustomerNotReady(f"account {account_id} has no customer in Stripe that can be charged")
    return customer


@transaction.atomic
def connect_account(account_id: int, *, at: datetime) -> None:
    """Charge an account through Stripe from now on. A second call changes nothing.

    The customer is made there by a job soon after. Raises metering's UnknownAccount.
    """
    profiles.read_or_set_profile(account_id)
    StripeCustomer.objects.get_or_create(account_id=account_id, defaults={"asked_at": at})
    promise_customers(at, account_ids=[account_id])


@transaction.atomic
def connect_anew(account_id: int, *, at: datetime) -> None:
    """Have a new customer made in Stripe, in place of one that is gone there or was given up.

    What the former one had of subscriptions is over; the present periods are asked by lines, and those that follow are
    mirrored anew. Raises NothingToRepair.
    """
    customer = StripeCustomer.objects.select_for_update().get(pk=account_id)
    if not customer.problem:
        raise NothingToRepair(f"the customer of account {account_id} has no problem")
    if customer.stripe_id:
        customer.former_ids = [*customer.former_ids, customer.stripe_id]
    customer.stripe_id, customer.number, customer.revision = None, customer.number + 1, customer.revision + 1
    customer.tax_id, customer.tax_number = "", ""
    forget_card(customer)
    clear_problem(customer)
    customer.save()
    close_stretches(account_id, at=at)
    close_drift(DRIFT, str(account_id), at=at, note="connected anew")
    promise_customers(at, account_ids=[account_id])


@transaction.atomic
def try_again(account_id: int, *, at: datetime) -> None:
    """Tell Stripe anew after a problem that somebody settled there. Raises NothingToRepair."""
    customer = StripeCustomer.objects.select_for_update().get(pk=account_id)
    if not customer.problem:
        raise NothingToRepair(f"the customer of account {account_id} has no problem")
    clear_problem(customer)
    customer.revision += 1
    customer.save()
    close_drift(DRIFT, str(account_id), at=at, note="tried again")
    promise_customers(at, account_ids=[account_id])
    promise_account(account_id, at=at)


def close_stretches(account_id: int, *, at: datetime) -> None:
    """Subscriptions of a customer that is gone are over, whatever was planned for them."""
    live = StripeSubscription.objects.filter(subscription__account_id=account_id, closed_at__isnull=True)
    live.filter(stripe_id__isnull=True).delete()
    for row in live.select_for_update():
        row.ends_at = max(row.starts_at, min(at, row.ends_at or at))
        row.closed_at, row.status = max(at, row.ends_at), "canceled"
        row.save()
        close_drift(mirrors.DRIFT, mirrors.name_drift(row), at=at, note="connected anew")


def promise_customers(at: datetime, *, account_ids: list[int] | None = None) -> int:
    """Promise to tell Stripe of each customer whose profile moved. Returns how many are new; one query if none did."""
    customers = StripeCustomer.objects.filter(problem="").annotate(now=Subquery(FINGERPRINT_OF_CUSTOMER))
    if account_ids is not None:
        customers = customers.filter(pk__in=account_ids)
    stale = customers.filter(Q(stripe_id__isnull=True) | Q(told_revision__lt=F("revision")) | ~Q(fingerprint=F("now")))
    return sum(
        enqueue(MIRROR_CUSTOMER, " ".join(map(str, key)), {"account": key[0]}, at=at)
        for key in stale.values_list("pk", "number", "revision", "told_revision")
    )


def note_problem(account_id: int, problem: CustomerProblem, detail: str, *, at: datetime) -> None:
    """Stop telling Stripe about this account, and show why. Quiet where a problem is known already."""
    with transaction.atomic():
        customer = StripeCustomer.objects.select_for_update().get(pk=account_id)
        if customer.problem:
            return
        customer.problem, customer.problem_detail, customer.problem_at = problem, detail, at
        customer.save()
        ours, cause = f"charged as {customer.stripe_id or 'a new customer'}", str(problem.label)
        open_drift(DRIFT, str(account_id), account_id=account_id, ours=ours, theirs=detail, cause=cause, at=at)


def clear_problem(customer: StripeCustomer) -> None:
    customer.problem, customer.problem_detail, customer.problem_at = "", "", None


def forget_card(customer: StripeCustomer) -> None:
    customer.payment_method_id, customer.card_brand, customer.card_last4 = "", "", ""
    customer.card_expires = None


def describe_customer(customer: StripeCustomer) -> CustomerFact:
    has_card = bool(customer.payment_method_id)
    card = CardFact(customer.card_brand, customer.card_last4, customer.card_expires) if has_card else None
    return CustomerFact(
        account_id=customer.account_id,
        stripe_id=customer.stripe_id or "",
        payment_method_id=customer.payment_method_id,
        card=card,
        problem=customer.problem,
        problem_detail=customer.problem_detail,
    )
