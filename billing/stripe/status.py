"""How things stand with Stripe, in figures: for the overview, the log, and whoever watches."""

import logging
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count, Min, Sum

from billing.models import (
    DriftState,
    MeterEventState,
    StripeCursor,
    StripeCustomer,
    StripeDrift,
    StripeEvent,
    StripeEventState,
    StripeInvoice,
    StripeInvoiceStep,
    StripeMeterEvent,
)
from billing.stripe.client import is_on
from billing.stripe.gateway import count_reads
from billing.stripe.reconciling.calls import select_stuck
from billing.stripe.reconciling.running import CURSOR
from config.secrets import LIVE_KEYS, STRIPE_API

logger = logging.getLogger(__name__)

UNDER_WAY = [StripeInvoiceStep.HELD, StripeInvoiceStep.FILLED, StripeInvoiceStep.COMPARED]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and since when the oldest does."""

    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class OpenDrifts:
    kind: str
    count: int
    difference_minor: int | None
    currency: str


@dataclass(frozen=True, slots=True)
class Status:
    """`mode` is live, test or off; `address` that of the API, empty where it is Stripe's own."""

    mode: str
    address: str
    api_version: str
    customers: int
    customers_with_problems: int
    events: Waiting
    failed_events: int
    last_event_at: datetime | None
    usage: Waiting
    failed_usage: int
    invoices: Waiting
    stopped_invoices: int
    unknown_calls: int
    reads: int
    reads_max: int
    reconciled_at: datetime | None
    drifts: tuple[OpenDrifts, ...]

    @property
    def drift_count(self) -> int:
        return sum(drift.count for drift in self.drifts)


def read_status(at: datetime) -> Status:
    """A dozen small queries; nothing is asked of Stripe."""
    return Status(
        mode=find_mode(),
        address="" if settings.STRIPE_API_BASE == STRIPE_API else urlsplit(settings.STRIPE_API_BASE).netloc,
        api_version=find_version(),
        customers=StripeCustomer.objects.count(),
        customers_with_problems=StripeCustomer.objects.exclude(problem="").count(),
        events=Waiting(
            **StripeEvent.objects.filter(state=StripeEventState.RECEIVED).aggregate(
                count=Count("pk"), oldest=Min("received_at")
            )
        ),
        failed_events=StripeEvent.objects.filter(state=StripeEventState.FAILED).count(),
        last_event_at=StripeEvent.objects.order_by("-received_at").values_list("received_at", flat=True).first(),
        usage=Waiting(
            **StripeMeterEvent.objects.filter(state__in=[MeterEventState.QUEUED, MeterEventState.SENDING]).aggregate(
                count=Count("pk"), oldest=Min("created_at")
            )
        ),
        failed_usage=StripeMeterEvent.objects.filter(state=MeterEventState.FAILED, replacement__isnull=True).count(),
        invoices=Waiting(
            **StripeInvoice.objects.filter(step__in=UNDER_WAY, invoice__isnull=False).aggregate(
                count=Count("pk"), oldest=Min("created_at")
            )
        ),
        stopped_invoices=StripeInvoice.objects.filter(step=StripeInvoiceStep.STOPPED).count(),
        unknown_calls=select_stuck(at).count(),
        reads=count_reads(at),
        reads_max=settings.STRIPE_READS_MAX,
        reconciled_at=StripeCursor.objects.filter(name=CURSOR).values_list("reached_at", flat=True).first(),
        drifts=tuple(list_open_drifts()),
    )


def find_mode() -> str:
    if not is_on():
        return "off"
    return "live" if settings.STRIPE_SECRET_KEY.startswith(LIVE_KEYS) else "test"


def find_version() -> str:
    """Of the official package; nothing is imported of it while Stripe is off."""
    if not is_on():
        return ""
    import stripe

    return stripe.api_version


def list_open_drifts() -> list[OpenDrifts]:
    rows = StripeDrift.objects.filter(state=DriftState.OPEN).values("kind", "currency")
    sums = rows.annotate(count=Count("pk"), difference=Sum("difference_minor")).order_by("kind", "currency")
    return [OpenDrifts(row["kind"], row["count"], row["difference"], row["currency"]) for row in sums]


def log_status(at: datetime) -> None:
    """One line with every figure, as gauges for whoever reads the log; a warning while something differs or failed."""
    status = read_status(at)
    is_well = not (status.drift_count or status.failed_events or status.failed_usage or status.stopped_invoices)
    logger.log(
        logging.INFO if is_well else logging.WARNING,
        "stripe status: events_waiting=%s events_failed=%s usage_waiting=%s usage_failed=%s invoices_waiting=%s"
        " invoices_stopped=%s calls_unknown=%s reads=%s drifts=%s",
        status.events.count,
        status.failed_events,
        status.usage.count,
        status.failed_usage,
        status.invoices.count,
        status.stopped_invoices,
        status.unknown_calls,
        status.reads,
        status.drift_count,
    )
