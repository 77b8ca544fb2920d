"""Progressive invoices: usage is billed as soon as its worth passes a threshold. Pure. No Django here.

Thresholds lie on what a subscription used in all its life, so that one which does not recur bills once, ever. The
invoice it causes bills the usage of the current period, less what the period's earlier ones billed; at the period's end
the whole is billed and all of them are credited.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from billing.money import EXACT, Money, round_money

ZERO = Decimal(0)


class InvalidThresholds(ValueError):
    """Thresholds that do not ascend from above zero, or a step that leads nowhere."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Amounts in whole units of the currency: `single` ones, ascending, then another every `step` above the last."""

    single: tuple[Decimal, ...] = ()
    step: Decimal | None = None

    def __post_init__(self) -> None:
        if any(after <= before for before, after in zip((ZERO, *self.single), self.single, strict=False)):
            raise InvalidThresholds("Thresholds ascend from above zero.")
        if self.step is not None and self.step <= 0:
            raise InvalidThresholds("A recurring step is above zero.")

    def find_passed(self, worth: Decimal) -> Decimal | None:
        """The highest threshold that the worth of usage has reached or passed; None below the first."""
        passed = [threshold for threshold in self.single if threshold <= worth]
        top = self.single[-1] if self.single else ZERO
        if self.step is not None and worth >= top + self.step:
            with localcontext(EXACT):
                return top + (worth - top) // self.step * self.step
        return passed[-1] if passed else None


NO_THRESHOLDS = Thresholds()


@dataclass(frozen=True, slots=True)
class ProgressState:
    """Where a subscription stands.

    `highest` is the greatest worth its lifetime usage ever had: when usage is taken back, a threshold that billed does
    not bill again. `before` is the worth of the periods that ended, `current` of the one under way, and `billed` what
    threshold invoices asked for the latter.
    """

    currency: str
    billed: Money
    before: Decimal = ZERO
    current: Decimal = ZERO
    highest: Decimal = ZERO

    @classmethod
    def begin(cls, currency: str) -> "ProgressState":
        return cls(currency, Money(0, currency))


@dataclass(frozen=True, slots=True)
class FinalBill:
    """A period's own invoice: its fees, what threshold invoices billed of them already, and what is left to pay.

    `excess` was billed beyond the fees, because usage was taken back since: it is owed to the customer.
    """

    fees: Money
    credit: Money
    total: Money
    excess: Money


def find_new(thresholds: Thresholds, worth: Decimal, *, highest: Decimal) -> Decimal | None:
    """The highest threshold that the worth passed, where its greatest worth so far had not. None where none is new."""
    reached, known = thresholds.find_passed(worth), thresholds.find_passed(highest)
    return None if known is not None and reached is not None and reached <= known else reached


def add_usage(state: ProgressState, worth: Decimal, thresholds: Thresholds) -> tuple[ProgressState, Money | None]:
    """Usage came, worth so much exactly. Also returns what to bill now; None when no new threshold was reached.

    However many thresholds one step passes, it bills once. Rounded as the whole period's usage, so that the invoices of
    a period add up to what it costs.
    """
    with localcontext(EXACT):
        current = state.current + worth
        lifetime = state.before + current
    reached = find_new(thresholds, lifetime, highest=state.highest)
    state = replace(state, current=current, highest=max(state.highest, lifetime))
    asked = round_money(current, state.currency).minor - state.billed.minor
    if reached is None or asked <= 0:
        return state, None
    return replace(state, billed=round_money(current, state.currency)), Money(asked, state.currency)


def end_period(state: ProgressState, fees: Sequence[Money]) -> tuple[ProgressState, FinalBill]:
    """Bill the period with all its fees besides usage, each rounded; the state is that of the period after it."""
    final = settle_period([*fees, round_money(state.current, state.currency)], billed=state.billed)
    with localcontext(EXACT):
        before = state.before + state.current
    return replace(state, before=before, current=ZERO, billed=Money(0, state.currency)), final


def settle_period(lines: Sequence[Money], *, billed: Money) -> FinalBill:
    """The invoice that ends a period, or a subscription in mid-period: its lines less what was billed ahead."""
    currency = billed.currency
    fees = sum(lines, start=Money(0, currency))
    credit = max(min(billed.minor, fees.minor), 0)
    return FinalBill(
        fees=fees,
        credit=Money(credit, currency),
        total=Money(fees.minor - credit, currency),
        excess=Money(billed.minor - credit, currency),
    )
