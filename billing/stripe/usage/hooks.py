"""What Stripe found wrong with meter events after it took them: told by thin events, with counts and a few samples."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction

from billing.models import MeterEventState, StripeEvent, StripeKind, StripeMeterEvent, StripeObject
from billing.stripe.catalogue.lookup import name_event
from billing.stripe.inbox.fetching import fetch_event
from billing.stripe.inbox.handlers import handles
from billing.stripe.usage.failures import tell_failures, tell_unknown
from metering import meters

SLACK = timedelta(minutes=1)  # between Stripe's clock, which tells the window, and ours, by which events were accepted
OF_CUSTOMER = "meter_event_customer_not_found"


@dataclass(frozen=True, slots=True)
class ReportedError:
    """So many events had this wrong with them; the identifiers of a few of them, each with a sentence."""

    code: str
    count: int
    samples: Mapping[str, str]


@handles("v1.billing.meter.error_report_triggered", "v1.billing.meter.no_meter_found")
def note_report(event: StripeEvent, at: datetime) -> Callable[[], None]:
    """Mark what failed, in the transaction that marks the event handled."""
    report = fetch_event(event, at=at)["data"]
    window = [datetime.fromisoformat(report[name]) for name in ("validation_start", "validation_end")]
    event_name = find_event_name(event.object_id)
    return partial(fail_reported, list(read_errors(report)), event_name, window[0], window[1], event.stripe_id, at)


def read_errors(report: Mapping[str, Any]) -> Iterator[ReportedError]:
    """A sample names the event's identifier, or the idempotency key of its request, which is that and the attempt."""
    for each in report["reason"]["error_types"]:
        samples = {
            sample["request"]["identifier"].partition("-")[0]: sample["error_message"]
            for sample in each["sample_errors"]
            if sample.get("request")
        }
        yield ReportedError(each["code"], int(each["error_count"]), samples)


def find_event_name(meter_id: str) -> str:
    """Of a meter in Stripe that we made; empty where the report names none, or another."""
    row = StripeObject.objects.filter(kind=StripeKind.METER, stripe_id=meter_id).first() if meter_id else None
    found = next((each.key for each in meters.list_meters() if row is not None and str(each.id) == row.key), None)
    return name_event(found) if found else ""


@transaction.atomic
def fail_reported(
    errors: list[ReportedError], event_name: str, start: datetime, end: datetime, report_id: str, at: datetime
) -> None:
    """Fail the samples, and all that the window leaves no doubt about. A second call changes nothing."""
    for error in errors:
        accepted = StripeMeterEvent.objects.filter(state=MeterEventState.ACCEPTED)
        sampled = StripeMeterEvent.objects.filter(identifier__in=error.samples)
        in_window = accepted.filter(accepted_at__gte=start - SLACK, accepted_at__lte=end + SLACK)
        if event_name:
            in_window = in_window.filter(event_name=event_name)
        failed = set(sampled.values_list("pk", flat=True))
        if error.code == OF_CUSTOMER:
            customers = sampled.values_list("customer_id", flat=True)
            failed |= set(in_window.filter(customer_id__in=list(customers)).values_list("pk", flat=True))
        everything = failed | set(in_window.values_list("pk", flat=True)[: error.count + 1])
        if len(everything) == error.count:
            failed = everything
        rows = StripeMeterEvent.objects.filter(pk__in=failed)
        keys = set(rows.values_list("period_id", "meter_id"))
        message = next(iter(error.samples.values()), "")
        rows.exclude(state=MeterEventState.FAILED).update(
            state=MeterEventState.FAILED,
            error_code=error.code,
            error_message=message,
            leased_until=None,
            unsure_since=None,
        )
        tell_failures(keys, at=at)
        if error.count > len(failed):
            tell_unknown(report_id, error.code, error.count - len(failed), at=at)
