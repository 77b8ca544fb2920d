"""Forecasts on record: one for each limit, epoch and moment, by constraint."""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery

from metering.forecast.facts import Expectation, ForecastFact, state_forecast
from metering.locks import hold_accounts, hold_limits_for_change
from metering.models import Forecast, Limit


def read_latest_forecasts(limit_ids: Collection[int]) -> dict[int, ForecastFact]:
    """limit id → the last forecast of the limit as it is now. Those that have none are left out. One statement."""
    if not limit_ids:
        return {}
    own = Forecast.objects.filter(limit=OuterRef("pk"), epoch=OuterRef("epoch")).order_by("-made_at")
    latest = Limit.objects.filter(pk__in=limit_ids).annotate(latest=Subquery(own.values("pk")[:1]))
    rows = list_rows().filter(pk__in=latest.values("latest"))
    return {row.limit_id: state_forecast(row) for row in rows}


def read_forecasts(limit_id: int, *, most: int | None = None) -> list[ForecastFact]:
    """The forecasts of a limit that are kept, of all its epochs, the latest first; `most` of them, or all."""
    return [state_forecast(row) for row in list_rows().filter(limit=limit_id).order_by("-made_at", "-epoch")[:most]]


def list_rows() -> QuerySet[Forecast]:
    return Forecast.objects.select_related("limit", "meter")


def record_forecast(limit_id: int, expectation: Expectation, *, at: datetime) -> bool:
    """Put one on record, made `at`; False where the limit already has one of that moment. No rule is asked."""
    return record_forecasts({limit_id: expectation}, at=at) == [limit_id]


@transaction.atomic
def record_forecasts(expectations: Mapping[int, Expectation], *, at: datetime) -> list[int]:
    """limit id → what is expected of it. Returns the limits, by id, that had no forecast of this moment before.

    Passed over are limits that are gone or closed, and what was worked out for another epoch. A second call records
    nothing. A fixed number of statements; ingestion for these accounts waits until the caller's transaction ends.
    """
    limits = lock_limits(expectations)
    known = set(
        Forecast.objects.filter(limit__in=[limit.pk for limit in limits], made_at=at).values_list("limit_id", "epoch")
    )
    rows = [
        build_row(limit, expectations[limit.pk], at=at)
        for limit in limits
        if (limit.pk, limit.epoch) not in known and expectations[limit.pk].epoch in (None, limit.epoch)
    ]
    Forecast.objects.bulk_create(rows)
    return [row.limit_id for row in rows]


def lock_limits(limit_ids: Collection[int]) -> list[Limit]:
    """Those that are open, under the locks of their accounts."""
    hold_limits_for_change()
    asked = Limit.objects.filter(pk__in=limit_ids)
    hold_accounts(set(asked.values_list("account_id", flat=True)))
    return list(asked.filter(closed_at=None).select_for_update(of=("self",)).order_by("pk"))


def build_row(limit: Limit, expected: Expectation, *, at: datetime) -> Forecast:
    used = limit.used if expected.used is None else expected.used
    totals = [
        used if total is None else total
        for total in (expected.total_low, expected.total_mid, expected.total_high, expected.run_rate_total)
    ]
    low, mid, high, run_rate = totals
    return Forecast(
        limit_id=limit.pk,
        account_id=limit.account_id,
        meter_id=limit.meter_id,
        epoch=limit.epoch,
        made_at=at,
        used=used,
        quantity=limit.quantity,
        is_learning=expected.is_learning,
        days_of_data=expected.days_of_data,
        p_hit=expected.p_hit,
        hit_low=expected.hit_low,
        hit_mid=expected.hit_mid,
        hit_high=expected.hit_high,
        total_low=low,
        total_mid=mid,
        total_high=high,
        run_rate_total=run_rate,
        reason=expected.reason,
        reason_params=dict(expected.reason_params),
    )
