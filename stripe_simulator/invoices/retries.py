"""When a failed invoice is tried again, and what happens when no try is left.

Stripe's smart retries choose their times by a model that nobody outside knows. Assumed instead: its older fixed
schedule, 3, 5 and 7 days after the attempt before. What follows the last is an account setting:
`settings.after_retries` is `cancel` (the default), `unpaid` or `past_due`.
"""

from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.statuses import end_for_want_of_payment

DAY = 86_400
DAYS_BETWEEN_ATTEMPTS = (3, 5, 7)


def find_next_attempt(invoice: Object, at: int) -> int | None:
    """When the attempt after number `attempt_count` is due; None after the last."""
    if invoice["collection_method"] != "charge_automatically":
        return None
    if not 1 <= invoice["attempt_count"] <= len(DAYS_BETWEEN_ATTEMPTS):
        return None
    return at + DAYS_BETWEEN_ATTEMPTS[invoice["attempt_count"] - 1] * DAY


def give_up(sim: Simulator, invoice: Object, at: int) -> None:
    """No try is left: the invoice stays open, its subscription ends as the setting says."""
    end_for_want_of_payment(sim, invoice, at=at)
