"""Stripe's test cards: by number, by `pm_card_…` and by `tok_…`, and what each does.

Source: Stripe's page on testing. What a card does is kept beside the payment method, never shown in it.
"""

from dataclasses import dataclass
from typing import Literal

Authentication = Literal["never", "until_set_up", "always"]


@dataclass(frozen=True, slots=True)
class Decline:
    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Card:
    number: str
    names: tuple[str, ...]  # after `pm_card_`
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    declines: Decline | None = None
    is_attachable: bool = True  # most declining cards are refused as soon as they are attached
    authentication: Authentication = "never"
    dispute: str | None = None  # the reason of the dispute that a successful charge gets at once
    refund: Literal["succeeds", "pends", "fails"] = "succeeds"

    @property
    def last4(self) -> str:
        return self.number[-4:]


DECLINED = Decline("card_declined", "generic_decline", "Your card was declined.")
NO_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", "Your card was declined.")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.")
FRAUDULENT = Decline("card_declined", "fraudulent", "Your card was declined.")
VELOCITY = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
)
EXPIRED = Decline("expired_card", None, "Your card has expired.")
WRONG_CVC = Decline("incorrect_cvc", None, "Your card's security code is incorrect.")
PROCESSING = Decline(
    "processing_error", None, "An error occurred while processing your card. Try again in a little bit."
)
NEEDS_AUTHENTICATION = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
NOT_AUTHENTICATED = Decline(
    "payment_intent_authentication_failure",
    None,
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
)

CARDS = (
    Card("4242424242424242", ("visa",)),
    Card("4000056655665556", ("visa_debit",), funding="debit"),
    Card("5555555555554444", ("mastercard",), brand="mastercard"),
    Card("5200828282828210", ("mastercard_debit",), brand="mastercard", funding="debit"),
    Card("378282246310005", ("amex",), brand="amex"),
    Card("6011111111111117", ("discover",), brand="discover"),
    Card("4000002500000003", ("fr", "visa_fr"), country="FR"),
    Card("4000002760000016", ("de", "visa_de"), country="DE"),
    Card("4000000000000077", ("bypassPending",)),
    Card("4000000000000341", ("chargeCustomerFail",), declines=DECLINED),
    Card("4000000000000002", ("chargeDeclined", "visa_chargeDeclined"), declines=DECLINED, is_attachable=False),
    Card(
        "4000000000009995",
        ("chargeDeclinedInsufficientFunds", "visa_chargeDeclinedInsufficientFunds"),
        declines=NO_FUNDS,
        is_attachable=False,
    ),
    Card(
        "4000000000009987",
        ("chargeDeclinedLostCard", "visa_chargeDeclinedLostCard"),
        declines=LOST,
        is_attachable=False,
    ),
    Card(
        "4000000000009979",
        ("chargeDeclinedStolenCard", "visa_chargeDeclinedStolenCard"),
        declines=STOLEN,
        is_attachable=False,
    ),
    Card("4000000000000069", ("chargeDeclinedExpiredCard",), declines=EXPIRED, is_attachable=False),
    Card("4000000000000127", ("chargeDeclinedIncorrectCvc",), declines=WRONG_CVC, is_attachable=False),
    Card("4000000000000119", ("chargeDeclinedProcessingError",), declines=PROCESSING, is_attachable=False),
    Card(
        "4000000000006975",
        ("chargeDeclinedVelocityLimitExceeded", "visa_chargeDeclinedVelocityLimitExceeded"),
        declines=VELOCITY,
        is_attachable=False,
    ),
    Card("4100000000000019", ("chargeDeclinedFraudulent",), declines=FRAUDULENT, is_attachable=False),
    Card("4000002500003155", ("authenticationRequiredOnSetup",), authentication="until_set_up"),
    Card("4000002760003184", ("authenticationRequired",), authentication="always"),
    Card("4000003800000446", ("authenticationRequiredSetupForOffSession",), authentication="until_set_up"),
    Card("4000000000003220", ("threeDSecure2Required",), authentication="always"),
    Card("4000000000003063", ("threeDSecureRequired",), authentication="always"),
    Card("4000000000003055", ("threeDSecureOptional",)),
    Card(
        "4000008260003178",
        ("authenticationRequiredChargeDeclinedInsufficientFunds",),
        declines=NO_FUNDS,
        authentication="always",
    ),
    Card("4000008400001629", ("threeDSecureRequiredChargeDeclined",), declines=DECLINED, authentication="always"),
    Card("4000000000000259", ("createDispute",), dispute="fraudulent"),
    Card("4000000000002685", ("createDisputeProductNotReceived",), dispute="product_not_received"),
    Card("4000000000001976", ("createDisputeInquiry",), dispute="fraudulent"),
    Card("4000000000007726", ("pendingRefund",), refund="pends"),
    Card("4000000000005126", ("refundFail",), refund="fails"),
)
BY_NUMBER = {card.number: card for card in CARDS}
BY_NAME = {name: card for card in CARDS for name in card.names}


def find_card(token: str) -> Card | None:
    """The card that `pm_card_visa`, `tok_visa` or `tok_visa_debit` stands for."""
    for prefix in ("pm_card_", "tok_"):
        if token.startswith(prefix):
            return BY_NAME.get(token.removeprefix(prefix))
    return None


def check_number(number: str) -> str | None:
    """Why a card number cannot be used, in Stripe's words; None if it can. Only test cards exist here."""
    if not number.isdigit() or not 12 <= len(number) <= 19 or not has_valid_check_digit(number):
        return "Your card number is invalid."
    if number not in BY_NUMBER:
        return "Your card was declined. Your request was in test mode, but used a non test card."
    return None


def has_valid_check_digit(number: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def needs_authentication(card: Card, *, is_set_up: bool) -> bool:
    """Whether a bank asks its customer: always, or until the card was set up for later payments."""
    return card.authentication == "always" or (card.authentication == "until_set_up" and not is_set_up)
