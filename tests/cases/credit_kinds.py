"""Cases about credit and about invoices that usage causes before its period ends."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.ahead.thresholds import FinalBill, ProgressState, Thresholds, add_usage, end_period, settle_period
from billing.credits.burning import Grant, Usage, burn_timeline, link_spends
from billing.credits.grants import grant_credit
from billing.credits.ledger import Wallet, read_wallet
from billing.credits.recurrence import Recurrence, Rollover, reset_grant
from billing.credits.spending import BillLine, burn_credits
from billing.money import Money, find_exponent, round_money
from billing.periods import Interval
from billing.proration import WHOLE, prorate
from billing.rating import per_unit, rate
from billing.taxes import tax_line
from tests.cases.kinds import runs
from tests.cases.money_kinds import read_taxes
from tests.cases.proration_kinds import read_days
from tests.cases.usage_kinds import read_time
from tests.metering.makers import make_account

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def read_grant(given: dict[str, Any]) -> Grant:
    return Grant(
        id=given["id"],
        amount=Decimal(given["amount"]),
        effective_at=read_time(given["effective_at"]),
        priority=int(given.get("priority", 0)),
        expires_at=read_time(given["expires_at"]) if given.get("expires_at") else None,
        voided_at=read_time(given["voided_at"]) if given.get("voided_at") else None,
        scope=frozenset(given.get("scope") or ()),
    )


@runs("grant_burn")
def run_grant_burn(given: dict[str, Any]) -> dict[str, Any]:
    usage = [Usage(read_time(at), Decimal(amount), *price) for at, amount, *price in given["usage"]]
    grants = [read_grant(grant) for grant in given["grants"]]
    standing = burn_timeline(grants, usage, start=read_time(given["from"]), until=read_time(given["until"]))
    return {"balances": dict(standing.balances), "overage": standing.overage}


def read_rollover(given: dict[str, Any]) -> Rollover:
    return Rollover(Decimal(given.get("rollover_min") or 0), Decimal(given.get("rollover_max") or 0))


@runs("grant_recurring")
def run_grant_recurring(given: dict[str, Any]) -> dict[str, Any]:
    """Granted daily, used in the first day; looked at just after the second has begun."""
    day = Interval.DAY
    recurrence = Recurrence(
        day, START, rollover=read_rollover(given), carries_overage=bool(given.get("overage_carried", True))
    )
    grant = Grant("it", Decimal(given["amount"]), START, recurrence=recurrence)
    usage = [Usage(START + HOUR, Decimal(given["used_before_recurrence"]))]
    standing = burn_timeline([grant], usage, start=START, until=START + 25 * HOUR)
    return {"balance": standing.balances["it"], "overage": standing.overage}


@runs("grant_recurring_timeline")
def run_grant_recurring_timeline(given: dict[str, Any]) -> dict[str, Any]:
    """Granted the day before it recurs, and then once a year; each use is an hour after the one before."""
    recurs_at = read_time(given["recurs_at"])
    recurrence = Recurrence(Interval.YEAR, recurs_at, rollover=read_rollover(given))
    granted_at = recurs_at - 24 * HOUR
    grant = Grant("it", Decimal(given["amount"]), granted_at, recurrence=recurrence)
    usage = [
        Usage(moment + number * HOUR, Decimal(amount))
        for moment, name in ((granted_at, "usage_before"), (recurs_at, "usage_after"))
        for number, amount in enumerate(given.get(name, ()))
    ]
    until = max([recurs_at, *(used.at for used in usage)]) + HOUR
    standing = burn_timeline([grant], usage, start=granted_at, until=until)
    return {"balance": standing.balances["it"], "overage": standing.overage}


@runs("grant_reset")
def run_grant_reset(given: dict[str, Any]) -> dict[str, Any]:
    grant, used = Grant("it", Decimal(given["amount"]), START), Usage(START, Decimal(given["used"]))
    standing = burn_timeline([grant], [used], start=START, until=START + HOUR)
    left = reset_grant(
        standing.balances["it"],
        standing.overage,
        rollover=read_rollover(given),
        preserve_overage=bool(given.get("preserve_overage")),
    )
    return {"balance_after": left.balance, "overage_after": left.overage}


@runs("fifo")
def run_fifo(given: dict[str, Any]) -> dict[str, Any]:
    found = link_spends([Decimal(each) for each in given["topups"]], [Decimal(each) for each in given["spend"]])
    links = [[list(part) for part in parts] for parts in found.links]
    return {"remaining": list(found.remaining), "links": links}


@runs("progressive")
def run_progressive(given: dict[str, Any]) -> dict[str, Any]:
    return {"steps": list(take_progressive_steps(given, given.get("currency", "EUR")))}


def take_progressive_steps(given: dict[str, Any], currency: str) -> Iterator[dict[str, Any]]:
    def read_amount(minor: Any) -> Decimal:
        return Decimal(minor).scaleb(-find_exponent(currency))

    step = given.get("recurring_minor")
    thresholds = Thresholds(
        tuple(sorted(read_amount(each) for each in given.get("thresholds_minor") or ())),
        read_amount(step) if step else None,
    )
    price = per_unit("Usage", meter_key="usage", unit_amount=read_amount(given["unit_price_minor"]))
    state, quantity = ProgressState.begin(currency), Decimal(0)
    for each in given["steps"]:
        if each.get("period_end"):
            state, final = end_period(state, [Money(int(given.get("plan_fee_minor") or 0), currency)])
            quantity = Decimal(0)
            yield show_final(final)
        else:
            before, quantity = quantity, quantity + Decimal(each["usage"])
            worth = rate(price, quantity).amount_exact - rate(price, before).amount_exact
            state, invoice = add_usage(state, worth, thresholds)
            yield {"invoice_minor": invoice.minor if invoice else None}


def show_final(final: FinalBill) -> dict[str, Any]:
    return {"fees_minor": final.fees.minor, "credit_minor": final.credit.minor, "total_minor": final.total.minor}


@runs("progressive_termination")
def run_progressive_termination(given: dict[str, Any]) -> dict[str, Any]:
    part = read_days(given) if "days" in given else WHOLE
    fee = prorate(int(given.get("plan_fee_minor") or 0), part)
    lines = [Money(minor, "EUR") for minor in (fee, int(given.get("usage_minor") or 0))]
    return show_final(settle_period(lines, billed=Money(int(given.get("already_billed_minor") or 0), "EUR")))


class CaseWallet:
    """A real wallet of one account, in which amounts are whole units of the case's currency."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.currency = given.get("currency", "EUR")
        self.account_id = make_account("acme", at=START).id
        self.unbilled = self.drafted = 0
        self.grant(given.get("granted"))

    def grant(self, amount: Any) -> None:
        if granted := self.read(amount):
            grant_credit(account_id=self.account_id, currency=self.currency, amount_minor=granted, at=START)

    def read(self, amount: Any) -> int:
        return round_money(Decimal(amount or 0), self.currency).minor

    def pay(self, key: str, *amounts: int) -> None:
        lines = [BillLine(position, amount) for position, amount in enumerate(amounts, start=1)]
        burn_credits(self.account_id, lines, currency=self.currency, key=key, moment=START, at=START)

    def show(self) -> dict[str, Any]:
        settled = read_wallet(account_id=self.account_id, currency=self.currency, at=START).settled_minor
        wallet = Wallet(self.account_id, self.currency, settled, self.drafted, self.unbilled)
        return {
            "balance": Money(wallet.settled_minor, self.currency).amount,
            "ongoing": Money(wallet.ongoing_minor, self.currency).amount,
        }


@runs("wallet_timeline")
def run_wallet_timeline(given: dict[str, Any]) -> dict[str, Any]:
    """A draft takes all usage that is on no invoice yet, and the fee; it pays from the wallet when it is final."""
    wallet, shown = CaseWallet(given), []
    for number, step in enumerate(given["steps"]):
        assert step.keys() <= {"granted", "usage", "draft_invoice_from_usage", "plan_fee", "finalise"}, step
        wallet.grant(step.get("granted"))
        if "usage" in step:
            wallet.unbilled += wallet.read(step["usage"])
        if step.get("draft_invoice_from_usage"):
            wallet.drafted, wallet.unbilled = wallet.drafted + wallet.unbilled, 0
        wallet.drafted += wallet.read(step.get("plan_fee"))
        if step.get("finalise"):
            wallet.pay(f"invoice {number}", wallet.drafted)
            wallet.drafted = 0
        shown.append(wallet.show())
    return {"steps": shown}


@runs("wallet_advance")
def run_wallet_advance(given: dict[str, Any]) -> dict[str, Any]:
    """Usage that is billed at once, with its tax."""
    wallet = CaseWallet(given)
    line = tax_line(wallet.read(given["usage"]), read_taxes([given.get("tax_percent") or 0]))
    wallet.pay("invoice", line.gross_minor)
    return wallet.show()
