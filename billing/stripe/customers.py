"""Which accounts are charged through Stripe, and by which customer there."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from billing import profiles
from billing.models import StripeCustomer


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


@transaction.atomic
def connect_account(account_id: int, *, at: datetime) -> None:
    """Charge an account through Stripe from now on. A second call changes nothing.

    The customer is made there by a job soon after. Raises metering's UnknownAccount.
    """
    profiles.read_or_set_profile(account_id)
    StripeCustomer.objects.get_or_create(account_id=account_id, defaults={"asked_at": at})


def describe_customer(customer: StripeCustomer) -> CustomerFact:
    return CustomerFact(
        account_id=customer.account_id,
        stripe_id=customer.stripe_id or "",
        payment_method_id=customer.payment_method_id,
        card=CardFact(customer.card_brand, customer.card_last4, customer.card_expires)
        if customer.payment_method_id
        else None,
        problem=customer.problem,
        problem_detail=customer.problem_detail,
    )
