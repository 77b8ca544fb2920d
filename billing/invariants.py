"""What must be true of plans, periods and invoices at any moment, checked over the whole database."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal, localcontext
from itertools import accumulate, chain, pairwise

from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum, Window
from django.db.models.functions import Coalesce

from billing.add_on_rows import pick_offered
from billing.ahead.checks import check_ahead
from billing.alerting.checks import check_budgets
from billing.credits.included import KEY, read_period_id
from billing.holdings import ONE_SEAT
from billing.invoicing import list_late_differences
from billing.late.checks import check_late
from billing.lines import read_line_usage, read_taxes
from billing.models import (
    LINE_OF_ADD_ON,
    LINES_OF_PLAN,
    CreditDestination,
    CreditEntry,
    CreditGrant,
    CreditKind,
    CreditNote,
    CreditSource,
    Invoice,
    InvoiceItem,
    InvoiceKind,
    InvoiceLine,
    InvoiceMove,
    InvoiceSeries,
    InvoiceState,
    ItemKind,
    Period,
    PlanVersion,
    Subscription,
    SubscriptionMove,
    TopUp,
)
from billing.money import EXACT, round_money
from billing.numbers import write_number
from billing.plans import PlanTerms, describe_version, load_versions
from billing.rating import InvalidPrice, rate, read_steps
from billing.runs.invariants import check_runs
from billing.taxes import TaxTerms, tax_line
from jobs.invariants import Violation
from metering import adjustments

OF_PERIOD = Q(invoices__kind=InvoiceKind.PERIOD)
NUMBERED = (Invoice, CreditNote)
NOT_VOID = OF_PERIOD & ~Q(invoices__state=InvoiceState.VOID)
ISSUED = NOT_VOID & ~Q(invoices__state=InvoiceState.DRAFT)


def check() -> Iterator[Violation]:
    """Yield what is wrong. Usage that arrived after its period was closed is not: list_late_differences shows it."""
    yield from check_plans()
    yield from check_periods()
    yield from check_invoices()
    yield from check_lines()
    yield from check_items()
    yield from check_numbers()
    yield from check_billed_usage()
    yield from check_credits()
    yield from check_included()
    yield from check_top_ups()
    yield from check_moves()
    yield from check_runs()
    yield from check_late()
    yield from check_ahead()
    yield from check_budgets()


def check_plans() -> Iterator[Violation]:
    for version in list_published():
        try:
            terms = describe_version(version)
        except InvalidPrice as error:
            yield Violation("a published price can be charged", f"plan version {version.pk}", str(error))
        else:
            if not terms.prices:
                yield Violation("a published version has a price", f"plan version {version.pk}", f"{version} has none")


def check_periods() -> Iterator[Violation]:
    subscriptions = Subscription.objects.prefetch_related(
        Prefetch("periods", Period.objects.order_by("starts_at")), "changes", "held_add_ons"
    )
    for subscription in subscriptions.order_by("pk").iterator(chunk_size=500):
        yield from check_chain(subscription)
    billed = Period.objects.annotate(documents=Count("invoices", filter=NOT_VOID))
    unbilled = Q(closed_at__isnull=False, is_free=False) & ~Q(documents=1)
    was_voided = Exists(InvoiceMove.objects.filter(invoice__period=OuterRef("pk"), state=InvoiceState.VOID))
    for period in billed.filter(unbilled).exclude(Q(was_voided, documents=0)).order_by("pk"):
        yield Violation("a closed period has one invoice", f"period {period.pk}", f"it has {period.documents}")
    for period in billed.filter(is_free=True, documents__gt=0).order_by("pk"):
        yield Violation("a free period has no invoice", f"period {period.pk}", f"it has {period.documents}")
    issued = Period.objects.annotate(documents=Count("invoices", filter=ISSUED))
    for period in issued.filter(closed_at__isnull=True, documents__gt=0).order_by("pk"):
        yield Violation("an open period has no invoice", f"period {period.pk}", f"it has {period.documents}")


def check_chain(subscription: Subscription) -> Iterator[Violation]:
    """The periods cover the time from the subscription's start without a gap, but for pauses."""
    rule, subject = "periods follow one another from the start", f"subscription {subscription.pk}"
    periods = list(subscription.periods.all())
    if not periods:
        if subscription.ended_at != subscription.started_at:
            yield Violation(rule, subject, "it has no period")
    elif periods[0].starts_at != subscription.started_at:
        yield Violation(rule, subject, f"it starts {subscription.started_at}, its first period {periods[0].starts_at}")
    changed = [each for each in subscription.changes.all() if each.move == SubscriptionMove.QUANTITY_CHANGED]
    if changed and changed[-1].after != str(subscription.quantity):
        detail = f"it has {subscription.quantity}, its history says {changed[-1].after}"
        yield Violation("a subscription has the seats of its history", subject, detail)
    yield from check_held(subscription, periods)
    pauses = list_pauses(subscription)
    for before, after in pairwise(periods):
        if before.ends_at != after.starts_at and (before.ends_at, after.starts_at) not in pauses:
            yield Violation(rule, subject, f"one period ends {before.ends_at}, the next starts {after.starts_at}")


def list_pauses(subscription: Subscription) -> set[tuple[datetime, datetime]]:
    """From when to when it was paused, by its history."""
    moves = [SubscriptionMove.PAUSED, SubscriptionMove.RESUMED]
    told = [change.at for change in subscription.changes.all() if change.move in moves]
    return set(zip(told[::2], told[1::2], strict=False))


def check_invoices() -> Iterator[Violation]:
    yield from check_sums()
    invoices = Invoice.objects.order_by("pk")
    for invoice in invoices.filter(state=InvoiceState.DRAFT, period__closed_at__isnull=False):
        yield Violation("a closed period has no draft", name_invoice(invoice), "it was not issued")
    agrees = Q(
        account_id=F("subscription__account_id"),
        subscription_id=F("period__subscription_id"),
        currency=F("period__version__currency"),
        period_start=F("period__starts_at"),
        period_end=F("period__ends_at"),
    )
    for invoice in invoices.filter(kind=InvoiceKind.PERIOD).exclude(agrees):
        detail = "account, subscription, currency or dates are not those of its period"
        yield Violation("an invoice agrees with its period", name_invoice(invoice), detail)


def check_sums() -> Iterator[Violation]:
    """The sums of an invoice are those of its lines. What is due of the total is a matter of constraints."""
    summed = Invoice.objects.annotate(
        total_of_lines=sum_lines("total_minor"),
        tax_of_lines=sum_lines("tax_minor"),
        discount_of_lines=sum_lines("discount_minor"),
    )
    for invoice in summed.order_by("pk"):
        subject = name_invoice(invoice)
        if invoice.total_minor != invoice.total_of_lines:
            detail = f"the total is {invoice.total_minor}, its lines add up to {invoice.total_of_lines}"
            yield Violation("an invoice's total is the sum of its lines", subject, detail)
        stated, found = (invoice.tax_minor, invoice.discount_minor), (invoice.tax_of_lines, invoice.discount_of_lines)
        if stated != found:
            detail = f"tax and discount are {stated}, those of its lines {found}"
            yield Violation("an invoice's tax and discount are those of its lines", subject, detail)


def sum_lines(column: str) -> Coalesce:
    lines = InvoiceLine.objects.filter(invoice=OuterRef("pk")).order_by().values("invoice")
    return Coalesce(Subquery(lines.annotate(sum=Sum(column)).values("sum")), 0)


def check_lines() -> Iterator[Violation]:
    """Every line is what its plan version makes of its quantity, rounded once."""
    versions = {version.pk: version for version in list_published()}
    known: dict[int, PlanTerms] = {}
    lines = InvoiceLine.objects.select_related("invoice__period").order_by("invoice_id", "position")
    for line in lines.iterator(chunk_size=1_000):
        yield from check_taxes(line)
        if line.kind not in LINES_OF_PLAN or line.invoice.kind != InvoiceKind.PERIOD or line.invoice.period is None:
            yield from check_amount(line)
            continue
        version_id = line.invoice.period.version_id
        if version_id not in known:
            try:
                known[version_id] = describe_version(versions[version_id])
            except (InvalidPrice, KeyError):  # told by check_plans, or by the line that follows
                continue
        check = check_add_on if line.kind == LINE_OF_ADD_ON else check_line
        yield from check(line, known[version_id])


def check_line(line: InvoiceLine, terms: PlanTerms) -> Iterator[Violation]:
    yield from check_amount(line)
    price, period = dict(enumerate(terms.prices, start=1)).get(line.position), line.invoice.period
    if price and price.per_seat and period and line.quantity != period.held.seat_quantity:
        detail = f"the period began with {period.quantity} seats, the line bills {line.quantity}"
        yield Violation("a fee by seat is asked for the seats there were", name_line(line), detail)
    priced = rate(price, read_line_usage(line)).amount_exact if price else None
    if priced != line.amount_exact:
        detail = f"the plan makes {priced} of {line.quantity}, the line says {line.amount_exact}"
        yield Violation("a line is what its plan version asks", name_line(line), detail)


def check_add_on(line: InvoiceLine, terms: PlanTerms) -> Iterator[Violation]:
    """It bills an add-on of the version, and as many as the period began with."""
    yield from check_amount(line)
    held = line.invoice.period.held if line.invoice.period else ONE_SEAT
    asked = {
        (each.description, each.rate(count).quantity, each.rate(count).amount_exact)
        for each in terms.add_ons
        if (count := held.count_add_on(each.key))
    }
    if (line.description, line.quantity, line.amount_exact) not in asked:
        detail = f"{line.quantity} at {line.amount_exact} in all is not what the period began with"
        yield Violation("a line bills an add-on that there was", name_line(line), detail)


def check_held(subscription: Subscription, periods: Sequence[Period]) -> Iterator[Violation]:
    rows = subscription.held_add_ons.all()
    for period in periods:
        held = pick_offered(rows, period.version_id, period.starts_at) if rows else {}
        if held != period.add_ons:
            detail = f"there were {held}, it bills {period.add_ons}"
            yield Violation("a period bills the add-ons there were", f"period {period.pk}", detail)


def check_taxes(line: InvoiceLine) -> Iterator[Violation]:
    """The taxes it names, asked of what the discount left, are the line's own."""
    named = [TaxTerms(tax.name, tax.percent, tax.is_inclusive) for tax in read_taxes(line)]
    taxed = tax_line(line.amount_minor - line.discount_minor, named)
    parts = [tax.minor for tax in read_taxes(line)]
    stated = (line.subtotal_minor, line.tax_minor, line.total_minor)
    if stated != (taxed.net_minor, taxed.tax_minor, taxed.gross_minor) or parts != [tax.minor for tax in taxed.taxes]:
        detail = f"net, tax and total are {stated}; its taxes make it {taxed.net_minor} and {taxed.tax_minor}"
        yield Violation("a line is taxed as it says", name_line(line), detail)


def check_amount(line: InvoiceLine) -> Iterator[Violation]:
    subject = name_line(line)
    with localcontext(EXACT):
        steps = sum((step.amount for step in read_steps(line.steps)), start=Decimal(0))
    if steps != line.amount_exact:
        yield Violation("a line is the sum of its steps", subject, f"{line.amount_exact}, its steps add up to {steps}")
    rounded = round_money(line.amount_exact, line.invoice.currency).minor
    if rounded != line.amount_minor:
        detail = f"{line.amount_exact} rounds to {rounded}, the line says {line.amount_minor}"
        yield Violation("a line is rounded once", subject, detail)


def check_items() -> Iterator[Violation]:
    """What is billed of an item is the item, once; and each line that is not of a price bills one."""
    billed = InvoiceItem.objects.filter(invoice_line__isnull=False)
    agrees = Q(
        account_id=F("invoice_line__invoice__account_id"),
        currency=F("invoice_line__invoice__currency"),
        kind=F("invoice_line__kind"),
        amount_minor=F("invoice_line__amount_minor"),
    )
    for item in billed.exclude(agrees).order_by("pk"):
        yield Violation("an item is billed as it is", f"invoice item {item.pk}", "its line says something else")
    # A draft of a period takes its items when it is issued, and a void invoice may have given its own back.
    issued = ~Q(invoice__state__in=[InvoiceState.DRAFT, InvoiceState.VOID])
    of_items = InvoiceLine.objects.filter(issued).exclude(kind__in=LINES_OF_PLAN).select_related("invoice")
    for line in of_items.exclude(kind=ItemKind.TRUE_UP).filter(item=None).order_by("pk"):
        yield Violation("a line bills its item", name_line(line), "there is none")


def check_numbers() -> Iterator[Violation]:
    rule = "numbers have no gap"
    for series in InvoiceSeries.objects.order_by("prefix"):
        found = [model.objects.filter(series=series).values_list("sequence", "number") for model in NUMBERED]
        issued = sorted(chain.from_iterable(found))
        expected = [(each, write_number(series.prefix, each)) for each in range(1, series.last_number + 1)]
        if issued != expected:
            odd = sorted(set(issued) ^ set(expected), key=str)
            yield Violation(rule, f"series {series.prefix}", f"counted to {series.last_number}; amiss: {odd[:5]}")


def check_billed_usage() -> Iterator[Violation]:
    """What is counted differs from what was billed by the adjustments that are on record, and by nothing else."""
    for difference in list_late_differences():
        line = InvoiceLine.objects.select_related("invoice", "meter").get(
            invoice__number=difference.number, position=difference.position
        )
        if not is_explained(line, used=difference.used):
            detail = f"billed {difference.billed}, but {difference.used} is counted"
            subject = f"line {difference.position} of {difference.number}"
            yield Violation("nothing is billed that was not used", subject, detail)


def is_explained(line: InvoiceLine, *, used: Decimal) -> bool:
    """A period that was over when it was entered has no window that was closed: there usage may still grow."""
    invoice, meter = line.invoice, line.meter
    if meter is None or invoice.issued_at is None:
        return True
    adjusted = adjustments.read_adjusted(
        account_id=invoice.account_id, meter_id=meter.pk, start=invoice.period_start, end=invoice.period_end
    )
    if adjusted is None:
        return used > line.quantity or adjustments.is_corrected_since(invoice.issued_at)
    changed = EXACT.subtract(used, line.quantity)
    if meter.rounding or adjusted == changed:
        return adjusted != 0
    # An invoice in place of a void one knows what was adjusted until it was written.
    since = [
        each.quantity
        for each in adjustments.list_adjustments(
            account_id=invoice.account_id, start=invoice.period_start, end=invoice.period_end
        )
        if each.meter_id == meter.pk
    ]
    return invoice.number is not None and was_rebilled(invoice) and changed in accumulate(reversed(since), EXACT.add)


def was_rebilled(invoice: Invoice) -> bool:
    earlier = Invoice.objects.filter(period=invoice.period_id, kind=InvoiceKind.PERIOD, pk__lt=invoice.pk)
    return earlier.filter(state=InvoiceState.VOID).exists()


def check_credits() -> Iterator[Violation]:
    """A grant holds what its entries add up to, was filled once and as it says, and never fell below nothing."""
    total, filled = Coalesce(Sum("entries__amount_minor"), 0), Q(entries__kind=CreditKind.GRANTED)
    grants = CreditGrant.objects.annotate(total=total, filled=Coalesce(Sum("entries__amount_minor", filter=filled), 0))
    for grant in grants.exclude(total=F("balance_minor"), filled=F("amount_minor")).order_by("pk"):
        detail = f"it holds {grant.balance_minor} of {grant.amount_minor}, its entries {grant.total} of {grant.filled}"
        yield Violation("a grant holds what its ledger says", f"credit grant {grant.pk}", detail)
    for void in CreditGrant.objects.filter(voided_at__isnull=False, balance_minor__gt=0).order_by("pk"):
        yield Violation("a void grant is empty", f"credit grant {void.pk}", f"it holds {void.balance_minor}")
    running = Window(Sum("amount_minor"), partition_by="grant", order_by="pk")
    for entry in CreditEntry.objects.annotate(running=running).filter(running__lt=0).order_by("pk"):
        detail = f"after entry {entry.pk} it held {entry.running}"
        yield Violation("a grant pays no more than it has", f"credit grant {entry.grant_id}", detail)
    yield from check_credit_documents()


def check_top_ups() -> Iterator[Violation]:
    """What was paid of a top-up's invoice was granted; and credit never paid for credit."""
    asked = TopUp.objects.filter(invoice__isnull=False).annotate(
        paid=Coalesce(Sum("invoice__payments__amount_minor"), 0)
    )
    is_over = Q(invoice__state__in=[InvoiceState.PAID, InvoiceState.VOID])
    stands = (
        Q(is_over, grant__amount_minor=F("paid"), dropped_at=None)
        | Q(is_over, paid=0, grant=None, dropped_at__isnull=False)
        | Q(~is_over, grant=None, dropped_at=None)
    )
    for each in asked.exclude(pk__in=asked.filter(stands).values("pk")).order_by("pk"):
        detail = f"{each.paid} of its invoice is paid, which is {each.invoice}"
        yield Violation("a top-up is granted as it was paid", f"top-up {each.pk}", detail)
    for invoice in Invoice.objects.filter(lines__kind=ItemKind.TOP_UP).exclude(credited_minor=0).distinct():
        yield Violation("credit never pays for credit", name_invoice(invoice), f"it paid {invoice.credited_minor}")


def check_included() -> Iterator[Violation]:
    """Credit that came with a period is of its account and currency, and good for exactly that period."""
    standing = CreditGrant.objects.filter(source=CreditSource.INCLUDED, key__startswith=KEY, voided_at=None)
    for grant in standing.order_by("pk").iterator(chunk_size=1_000):
        of_period = Period.objects.filter(
            pk=read_period_id(grant.key),
            subscription__account=grant.account_id,
            version__currency=grant.currency,
            version__included_credit_minor__gte=grant.amount_minor,
            starts_at=grant.effective_at,
            ends_at=grant.expires_at or grant.effective_at,
            is_free=False,
        )
        if not of_period.exists():
            detail = f"{grant.key} is not a period from {grant.effective_at} to {grant.expires_at} that brings it"
            yield Violation("included credit is good for its period", f"credit grant {grant.pk}", detail)


def check_moves() -> Iterator[Violation]:
    """What came in and what was given back is within what was asked; an invoice is paid once it owes nothing."""
    for invoice in (
        Invoice.objects.annotate(noted=Sum("credit_notes__total_minor"))
        .filter(noted__gt=F("total_minor"))
        .order_by("pk")
    ):
        detail = f"{invoice.noted} of {invoice.total_minor} is credited"
        yield Violation("no more is credited than was billed", name_invoice(invoice), detail)
    off = CreditNote.objects.filter(invoice=OuterRef("pk"), destination=CreditDestination.DUE).order_by()
    paid = Coalesce(Sum("payments__amount_minor"), 0)
    taken_off = Coalesce(Subquery(off.values("invoice").annotate(sum=Sum("total_minor")).values("sum")), 0)
    standing = Invoice.objects.annotate(settled=paid + taken_off)
    is_paid, is_settled = Q(state=InvoiceState.PAID), Q(settled=F("due_minor"))
    is_odd = Q(settled__gt=F("due_minor")) | is_paid & ~is_settled | Q(state=InvoiceState.ISSUED) & is_settled
    for odd in standing.filter(is_odd, due_minor__gte=0).order_by("pk"):
        detail = f"{odd.settled} of {odd.due_minor} is settled, and it is {odd.state}"
        yield Violation("a paid invoice owes nothing", name_invoice(odd), detail)


def check_credit_documents() -> Iterator[Violation]:
    """Credit pays for its own account and currency, and for no more than the invoice asks."""
    of_invoice = CreditEntry.objects.filter(invoice__isnull=False)
    own = Q(grant__account_id=F("invoice__account_id"), grant__currency=F("invoice__currency"))
    for entry in of_invoice.exclude(own).order_by("pk"):
        detail = "account or currency are not those of its grant"
        yield Violation("credit pays for its own account", f"credit entry {entry.pk}", detail)
    paid = Invoice.objects.annotate(paid=-Coalesce(Sum("credit_entries__amount_minor"), 0))
    for invoice in paid.exclude(paid=F("credited_minor")).filter(Q(credited_minor__gte=0) | ~Q(paid=0)).order_by("pk"):
        detail = f"credit pays {invoice.paid} of {invoice.total_minor}, it says {invoice.credited_minor}"
        yield Violation("an invoice says what credit paid", name_invoice(invoice), detail)
        if not 0 <= invoice.paid <= invoice.total_minor:
            yield Violation("credit pays no more than is asked", name_invoice(invoice), detail)


def list_published() -> QuerySet[PlanVersion]:
    return load_versions().filter(published_at__isnull=False).order_by("pk")


def name_line(line: InvoiceLine) -> str:
    return f"line {line.position} of {name_invoice(line.invoice)}"


def name_invoice(invoice: Invoice) -> str:
    return f"invoice {invoice.number or invoice.pk}"
