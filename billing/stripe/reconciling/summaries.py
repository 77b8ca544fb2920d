"""What Stripe's meters counted ↔ what they accepted: a read for each, so a few a day, and those in doubt first."""

from datetime import datetime, timedelta
from decimal import Context, Decimal
from hashlib import sha256

from django.conf import settings

from billing.models import StripeTally
from billing.stripe.budget import count_reads_left
from billing.stripe.catalogue.lookup import find_meter_id
from billing.stripe.gateway import read
from billing.stripe.moments import write_seconds
from billing.stripe.reconciling.findings import Finding, Looked, Scope, read_pairs, write_quantity
from billing.stripe.reconciling.usage import Sent, name, price_difference, read_billed, read_sent

KIND = "meter_summary"
LAG = timedelta(hours=1)  # until a meter shows all that it accepted
DIGITS = Context(prec=15)  # a summary is a float


def look_at_summaries(scope: Scope) -> Looked:
    looked = Looked()
    chosen = choose(scope)
    sent, billed = read_sent(chosen), read_billed(chosen)
    for tally in chosen:
        key = tally.period_id, tally.meter_id
        looked.check(name(tally), KIND)
        accepted = sent.get(key, Sent()).accepted
        counted = read_counted(tally, at=scope.at)
        if round_digits(accepted) != round_digits(counted):
            amounts = price_difference(tally, accepted, counted, billed.get(key))
            cause = f"Stripe accepted {write_quantity(accepted)} and its meter counts something else."
            unit = tally.meter.unit
            looked.findings.append(
                Finding(
                    KIND,
                    name(tally),
                    tally.account_id,
                    f"{write_quantity(accepted)} {unit}",
                    f"{write_quantity(counted)} {unit}",
                    cause,
                    *amounts,
                )
            )
    return looked


def choose(scope: Scope) -> list[StripeTally]:
    """Those that differed, then of an account all, of everybody as many as a day has reads for, others each day."""
    ended = StripeTally.objects.filter(period__ends_at__gte=scope.since, period__ends_at__lt=scope.at - LAG)
    ended = ended.filter(closed_at__isnull=False).select_related("period", "meter")
    known = set(read_pairs(scope.list_open(KIND)))
    if scope.account_id is not None:
        ended = ended.filter(account_id=scope.account_id)
    rows = [tally for tally in ended if is_whole(tally)]
    rows.sort(key=lambda tally: ((tally.period_id, tally.meter_id) not in known, draw(tally, scope.at)))
    return rows[: min(settings.STRIPE_SUMMARIES_A_LOOK, count_reads_left(scope.at))]


def is_whole(tally: StripeTally) -> bool:
    """Stripe sums whole minutes."""
    period = tally.period
    return not any(each.second or each.microsecond for each in (period.starts_at, period.ends_at))


def draw(tally: StripeTally, at: datetime) -> bytes:
    """Another order each day, the same all day."""
    return sha256(f"{tally.pk} {at:%Y-%m-%d}".encode()).digest()


def read_counted(tally: StripeTally, *, at: datetime) -> Decimal:
    """What its meter says of the whole period. Raises Refused, TryLater."""
    meter_id = find_meter_id(tally.meter_id)
    start, end = (write_seconds(each) for each in (tally.period.starts_at, tally.period.ends_at))
    page = read(
        lambda client: client.v1.billing.meters.event_summaries.list(
            meter_id, {"customer": tally.customer_id, "start_time": start, "end_time": end}
        ),
        at=at,
    )
    return sum((Decimal(repr(each.aggregated_value)) for each in page.data), Decimal(0))


def round_digits(value: Decimal) -> Decimal:
    return DIGITS.plus(value)
