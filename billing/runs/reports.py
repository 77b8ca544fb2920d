"""What a run comes to, beside what the periods before came to: figures, and entries to look at, filter and download."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from defusedcsv import csv
from django.db.models import BigIntegerField, Case, Count, DecimalField, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Abs, Cast, Coalesce

from billing.models import BillingRun, BillingRunEntry, EntryState, Plan
from billing.whatif_reports import Line, write_amount

LEAST_CHANGE = Decimal(20)  # per cent, unless somebody asks for another
COLUMNS = (
    "account", "name", "plan", "period_start", "period_end", "currency", "last_invoice", "last", "previewed", "billed",
    "change", "kind", "state", "reason", "invoice",
)  # fmt: skip


class Kind(StrEnum):
    """What an entry is against the invoice before it; `other` of what is free or not known yet."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    OTHER = "other"


class Choice(StrEnum):
    """Which entries are shown."""

    ALL = "all"
    FAILED = "failed"
    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    DIFFERENT = "different"  # billed otherwise than it was previewed
    SKIPPED = "skipped"


SORTS = {
    "account": "account__name",
    "last": "last_minor",
    "figure": "figure_minor",
    "change": "change_minor",
    "state": "state",
}


@dataclass(frozen=True, slots=True)
class CurrencySums:
    """In smallest units: what the periods before were billed, what the preview said, what is billed by now."""

    currency: str
    entries: int
    last_minor: int
    previewed_minor: int
    billed_minor: int
    figure_minor: int

    @property
    def change_minor(self) -> int:
        return self.figure_minor - self.last_minor


@dataclass(frozen=True, slots=True)
class Progress:
    """How many entries there are, how many of them the step under way has done, and how each came out."""

    total: int
    done: int
    billed: int
    failed: int
    skipped: int

    @property
    def left(self) -> int:
        return self.total - self.done


def read_progress(run: BillingRun) -> Progress:
    """Of the preview while that is under way, and of the invoices from then on."""
    counts = run.entries.exclude(state=EntryState.GONE).aggregate(
        total=Count("pk"),
        previewed=Count("pk", filter=Q(previewed_at__isnull=False)),
        billed=Count("pk", filter=Q(state=EntryState.DONE)),
        failed=Count("pk", filter=Q(state=EntryState.FAILED)),
        skipped=Count("pk", filter=Q(state=EntryState.SKIPPED)),
    )
    settled = counts["billed"] + counts["failed"] + counts["skipped"]
    is_approved = run.approved_at is not None
    done = settled if is_approved else max(counts["previewed"], settled)
    return Progress(counts["total"], done, counts["billed"], counts["failed"], counts["skipped"])


def list_entries(run: BillingRun, *, least_change: Decimal = LEAST_CHANGE) -> QuerySet[BillingRunEntry]:
    """With `last_minor`, `figure_minor` (what is billed, or else was previewed), `change_minor` and `kind`.

    Changed is what differs from the invoice before by at least so many per cent of that.
    """
    figure = Case(
        When(state=EntryState.GONE, then=Value(0)),
        default=Coalesce("billed_minor", "previewed_minor"),
        output_field=BigIntegerField(null=True),
    )
    exact: DecimalField[Decimal, Decimal] = DecimalField(max_digits=38, decimal_places=4)
    moved = Abs(Cast("change_minor", exact)) * Value(Decimal(100), exact)
    allowed = Abs(Cast("last_minor", exact)) * Value(least_change, exact)
    kind = Case(
        When(state=EntryState.GONE, then=Value(Kind.GONE.value)),
        When(Q(is_free=True) | Q(figure_minor__isnull=True), then=Value(Kind.OTHER.value)),
        When(last_invoice__isnull=True, then=Value(Kind.NEW.value)),
        When(~Q(change_minor=0) & Q(moved__gte=F("allowed")), then=Value(Kind.CHANGED.value)),
        default=Value(Kind.UNCHANGED.value),
    )
    return (
        run.entries.annotate(last_minor=F("last_invoice__total_minor"), figure_minor=figure)
        .annotate(change_minor=F("figure_minor") - F("last_minor"))
        .annotate(moved=moved, allowed=allowed)
        .annotate(kind=kind)
    )


def choose(entries: QuerySet[BillingRunEntry], choice: Choice) -> QuerySet[BillingRunEntry]:
    """Of list_entries those that are wanted. Failed is also what could not be previewed."""
    return entries.filter(find_condition(choice))


def find_condition(choice: Choice) -> Q:
    match choice:
        case Choice.ALL:
            return Q()
        case Choice.FAILED:
            return Q(state__in=[EntryState.FAILED, EntryState.PENDING]) & ~Q(error="")
        case Choice.DIFFERENT:
            return Q(billed_minor__isnull=False, previewed_minor__isnull=False) & ~Q(billed_minor=F("previewed_minor"))
        case Choice.SKIPPED:
            return Q(state=EntryState.SKIPPED)
        case _:
            return Q(kind=choice.value) & ~Q(state=EntryState.SKIPPED)


def search(entries: QuerySet[BillingRunEntry], words: str) -> QuerySet[BillingRunEntry]:
    """Of accounts whose key or name has the words."""
    return entries.filter(Q(account__key__icontains=words) | Q(account__name__icontains=words)) if words else entries


def sort(entries: QuerySet[BillingRunEntry], name: str) -> QuerySet[BillingRunEntry]:
    """By one of SORTS, with a dash before it the largest first; by account where it is none. The unknown is last."""
    column = F(SORTS.get(name.removeprefix("-"), "account__name"))
    is_down = name.startswith("-")
    order = column.desc(nulls_last=True) if is_down else column.asc(nulls_last=True)
    return entries.order_by(order, "account_id", "ends_at", "pk")


def count_choices(entries: QuerySet[BillingRunEntry]) -> dict[Choice, int]:
    counts = entries.aggregate(**{choice.value: Count("pk", filter=find_condition(choice)) for choice in Choice})
    return {choice: counts[choice.value] for choice in Choice}


def sum_entries(run: BillingRun) -> list[CurrencySums]:
    """A row for each currency, without what is left out. What is gone counts in what was billed before alone."""
    rows = (
        list_entries(run)
        .exclude(state=EntryState.SKIPPED)
        .order_by("currency")
        .values("currency")
        .annotate(
            entries=Count("pk", filter=~Q(state=EntryState.GONE)),
            last=Coalesce(Sum("last_minor"), 0),
            previewed=Coalesce(Sum("previewed_minor"), 0),
            billed=Coalesce(Sum("billed_minor"), 0),
            figure=Coalesce(Sum("figure_minor"), 0),
        )
    )
    return [
        CurrencySums(
            currency=row["currency"],
            entries=row["entries"],
            last_minor=int(row["last"]),
            previewed_minor=int(row["previewed"]),
            billed_minor=int(row["billed"]),
            figure_minor=int(row["figure"]),
        )
        for row in rows
    ]


def with_names(entries: QuerySet[BillingRunEntry]) -> QuerySet[BillingRunEntry]:
    """All that is read to show an entry, at once."""
    return entries.select_related(
        "account", "period__version__plan", "subscription__version__plan", "last_invoice", "invoice"
    )


def write_entries(entries: QuerySet[BillingRunEntry]) -> Iterator[str]:
    """CSV of list_entries, amounts in whole units. Safe to open in a spreadsheet."""
    writer = csv.writer(Line())
    yield writer.writerow(COLUMNS)
    for entry in with_names(entries).iterator(chunk_size=1_000):
        yield writer.writerow(state_entry(entry))


def state_entry(entry: BillingRunEntry) -> list[str]:
    last, change = getattr(entry, "last_minor", None), getattr(entry, "change_minor", None)
    amounts = [last, entry.previewed_minor, entry.billed_minor, change]
    last_text, *others = [state_amount(minor, entry.currency) for minor in amounts]
    return [
        entry.account.key,
        entry.account.name,
        find_plan(entry).slug,
        f"{entry.starts_at:%Y-%m-%d %H:%M}",
        f"{entry.ends_at:%Y-%m-%d %H:%M}",
        entry.currency,
        (entry.last_invoice.number if entry.last_invoice else None) or "",
        last_text,
        *others,
        str(getattr(entry, "kind", "")),
        str(entry.state),
        entry.error or str(entry.reason),
        (entry.invoice.number if entry.invoice else None) or "",
    ]


def state_amount(minor: int | None, currency: str) -> str:
    return "" if minor is None else write_amount(minor, currency)


def find_plan(entry: BillingRunEntry) -> Plan:
    """That which bills its period; of what is gone the subscription's last."""
    version = entry.period.version if entry.period else entry.subscription.version
    return version.plan
