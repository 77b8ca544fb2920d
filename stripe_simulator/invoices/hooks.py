"""What others do for invoices. Payments and billing credits register here; invoices call, and know none of them.

apply_credits(sim, invoice, lines, at): at finalisation, usage read, before taxes; answers what credits pay of each
    line, {line id: [{"amount", "credit_balance_transaction"}]}
prepare_payment(sim, invoice, at): the invoice became open with something due; makes its payment intent
collect_invoice(sim, invoice, at): charge the default payment method, then call `settling.record_payment` or
    `settling.record_failure`; never raises
pay_invoice(sim, invoice, params, at): the same, with the parameters of /pay; raises the card's error with `keeps=True`
close_payment(sim, invoice, at): the invoice is paid; cancels a payment intent that did not pay it
release_invoice(sim, invoice, at): the invoice was voided; cancels its payment intent, gives credits back
refund_credit_note(sim, invoice, amount, at): answers the refund's id
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stripe_simulator.simulator import Simulator

HOOKS: dict[str, Callable[..., Any]] = {}
NAMES = frozenset(
    [
        "apply_credits",
        "close_payment",
        "collect_invoice",
        "pay_invoice",
        "prepare_payment",
        "refund_credit_note",
        "release_invoice",
    ]
)


def hook(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register a function under its own name."""
    if function.__name__ not in NAMES:
        raise LookupError(f"invoices call no {function.__name__}")
    HOOKS[function.__name__] = function
    return function


def call(name: str, sim: "Simulator", *given: Any) -> Any:
    """Call what is registered; None where nothing is."""
    return HOOKS[name](sim, *given) if name in HOOKS else None
