"""A statement of usage: what an account used of each meter, in all and day by day; what it costs if that is asked."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.utils import translation
from django.utils.translation import gettext as _

from billing.lines import TOO_MUCH
from billing.models import Invoice, InvoiceState
from billing.papers.copies import copy_statement
from billing.papers.paper import Attachment, Column, Field, Group, Paper, Row, Section
from billing.papers.wording import (
    describe_customer,
    describe_seller,
    display_day,
    display_days,
    display_moment,
    one_line,
    write_foot,
    write_page_words,
)
from billing.periods import find_zone
from billing.previews import InvoicePreview, NotSubscribed, preview_period
from billing.profiles import ProfileFact, UnknownProfile, name_account, read_profile
from billing.sellers import name_seller, read_seller
from billing.wording import display_money
from metering import usage
from metering.quantities import format_exact, name_unit
from metering.usage import Point, Reading

LONGEST = timedelta(days=366)
SIDE_BY_SIDE = 4
TWO = Decimal(2)  # of which a unit is said in the plural


class InvalidWindow(ValueError):
    """A statement is of a time that has begun, and of a year at most."""


def read_statement_paper(
    *, account_id: int, start: datetime, end: datetime, at: datetime, with_cost: bool = True
) -> Paper:
    """What was used in [start, end) as it stands in the minute of `at`, in the language of the account's profile.

    Two queries and one for each meter that was used; three more for the cost. Raises InvalidWindow, UnknownAccount, and
    HistoryPruned where the window begins within an hour whose events were dropped.
    """
    if not start < end or start > at or end - start > LONGEST:
        raise InvalidWindow("A statement is of a time that has begun, and of a year at most.")
    at = at.replace(second=0, microsecond=0)
    profile = read_customer(account_id)
    readings = usage.read_totals(account_id=account_id, start=start, end=end)
    used = [reading for reading in readings if reading.event_count or reading.quantity]
    series = {
        reading.meter_key: usage.read_series(
            account_id=account_id,
            meter_key=reading.meter_key,
            start=start,
            end=end,
            bucket="day",
            time_zone=profile.time_zone,
        )
        for reading in used
    }
    with translation.override(profile.language):
        return make_statement_paper(
            profile,
            used,
            series,
            costs=list(list_costs(profile, start=start, end=end, at=at)) if with_cost else None,
            start=start,
            end=end,
            at=at,
        )


def read_days(first: str, last: str, time_zone: str) -> tuple[datetime, datetime]:
    """`2026-01-01` and `2026-01-31` as [start, end) on the clocks of the zone. Raises InvalidWindow."""
    zone = find_zone(time_zone)
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise InvalidWindow(f"{first!r} and {last!r} are not two days such as 2026-01-31.") from None
    return datetime.combine(start, time(), tzinfo=zone), datetime.combine(end, time(), tzinfo=zone)


def read_customer(account_id: int) -> ProfileFact:
    """Who pays; while nobody is known to, the account in its own name."""
    try:
        return read_profile(account_id)
    except UnknownProfile:
        return ProfileFact(account_id, name_account(account_id), "", "UTC", language=translation.get_language() or "en")


def make_statement_paper(
    profile: ProfileFact,
    used: Sequence[Reading],
    series: Mapping[str, Sequence[Point]],
    *,
    costs: Sequence[Row] | None,
    start: datetime,
    end: datetime,
    at: datetime,
) -> Paper:
    seller = read_seller(name_seller())
    period = display_days(start, end, profile.time_zone)
    title = _("Usage statement, %(period)s") % {"period": period}
    sections = [make_totals(used)]
    if costs is not None:
        sections.append(make_costs(costs))
    sections += make_days(used, series, profile.time_zone, at=at)
    return Paper(
        heading=_("Usage statement"),
        title=f"{title} · {one_line(profile.legal_name)}",
        name=f"usage-{start:%Y-%m-%d}",
        language=profile.language,
        dated_at=at,
        seller=describe_seller(seller),
        for_words=_("For"),
        customer=describe_customer(
            profile.legal_name, address=profile.address, country=profile.country, tax_number=profile.tax_number
        ),
        headline=None,
        facts=(
            Field(_("Period"), period),
            Field(_("As of"), display_moment(at, profile.time_zone)),
            Field(_("Clocks of"), profile.time_zone),
        ),
        sections=tuple(sections),
        notes=(Field(_("Not an invoice"), _("This statement says what was counted. Only an invoice asks for money.")),),
        foot=write_foot(seller, title),
        page_words=write_page_words(),
        attachment=Attachment(
            name="usage.json",
            description=_("The same figures for programs"),
            text=copy_statement(used, series, start=start, end=end, at=at, time_zone=profile.time_zone),
            relationship="data",
        ),
    )


def make_totals(used: Sequence[Reading]) -> Section:
    rows = tuple(
        Row(
            (
                one_line(reading.meter_name),
                format_count(reading.event_count),
                format_exact(reading.quantity, reading.unit),
            )
        )
        for reading in used
    )
    nothing = Row((_("Nothing was used."), "", ""))
    return Section(
        title=_("By meter"),
        columns=(Column(_("Meter")), Column(_("Events"), is_number=True), Column(_("Used"), is_number=True)),
        groups=(Group(rows or (nothing,)),),
        described=0,
        summary=_("What was used of each meter"),
    )


def make_days(
    used: Sequence[Reading], series: Mapping[str, Sequence[Point]], time_zone: str, *, at: datetime
) -> Iterator[Section]:
    """Tables with a row for each day that has begun and a column for each meter, four side by side."""
    for place in range(0, len(used), SIDE_BY_SIDE):
        some = used[place : place + SIDE_BY_SIDE]
        days = zip(*(series[reading.meter_key] for reading in some), strict=True)
        rows = tuple(
            Row((display_day(points[0].start, time_zone), *(format_exact(point.quantity) for point in points)))
            for points in days
            if points[0].start <= at
        )
        yield Section(
            title=_("Day by day"),
            columns=(Column(_("Day")), *(Column(name_column(reading), is_number=True) for reading in some)),
            groups=(Group(rows),),
            described=0,
            is_dense=True,
            summary=_("What was used each day: %(meters)s")
            % {"meters": ", ".join(one_line(reading.meter_name) for reading in some)},
        )


def name_column(reading: Reading) -> str:
    """`Requests (requests)`: its unit stands in the head, not in each row."""
    unit = name_unit(reading.unit, TWO)
    return f"{one_line(reading.meter_name)} ({unit})" if unit else one_line(reading.meter_name)


def format_count(count: int) -> str:
    return format_exact(Decimal(count))


def make_costs(rows: Sequence[Row]) -> Section:
    nothing = Row((_("No period of a subscription is in this time."), "", ""))
    return Section(
        title=_("What it costs"),
        columns=(Column(_("Period")), Column(_("Document")), Column(_("Amount"), is_number=True)),
        groups=(Group(tuple(rows) or (nothing,)),),
        described=0,
        summary=_("What each period costs that the statement's time touches"),
    )


def list_costs(profile: ProfileFact, *, start: datetime, end: datetime, at: datetime) -> Iterator[Row]:
    """The invoices of periods that [start, end) touches, then what the period under way costs so far, before tax."""
    issued = Invoice.objects.filter(account_id=profile.account_id, number__isnull=False, issued_at__lte=at)
    touched = issued.filter(period_start__lt=end, period_end__gt=start).exclude(state=InvoiceState.VOID)
    for invoice in touched.order_by("period_start", "pk"):
        days = display_days(invoice.period_start, invoice.period_end, profile.time_zone)
        title = _("Invoice %(number)s") % {"number": invoice.number}
        yield Row((days, title, display_money(invoice.total_minor, invoice.currency)))
    bill = preview_open(profile.account_id, at=at)
    if bill is not None and bill.start < end and bill.end > start:
        days = display_days(bill.start, bill.end, profile.time_zone)
        yield Row((days, _("So far, before tax"), display_money(bill.sums.subtotal_minor, bill.currency)))


def preview_open(account_id: int, *, at: datetime) -> InvoicePreview | None:
    """None without a subscription, and where it is more than a bill can hold."""
    try:
        return preview_period(account_id=account_id, at=at)
    except (NotSubscribed, *TOO_MUCH):
        return None
