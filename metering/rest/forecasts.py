"""`GET /api/v1/accounts/{key}/forecasts`: what is expected of each limit of an account."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metering.accounts import UnknownAccount
from metering.forecast import ForecastFact, read_latest_forecasts
from metering.limits import find_limits
from metering.rest.answers import refusals
from metering.rest.fields import QuantityField, TimeField, write_quantity, write_time
from metering.rest.limits import ACCOUNT_KEY
from metering.rest.permissions import refuse_account, require_visible
from metering.rest.views import KeyedView

RANGE = "The range holds in 80 of 100 cases."


class ExpectedTotalSerializer(serializers.Serializer[object]):
    low = QuantityField()
    mid = QuantityField()
    high = QuantityField()


class ExpectedDateSerializer(serializers.Serializer[object]):
    low = TimeField()
    mid = TimeField()
    high = TimeField()


class ForecastReasonSerializer(serializers.Serializer[object]):
    code = serializers.CharField(help_text="Such as weekday_up, steady, batch, learning.", allow_blank=True)
    percent = serializers.IntegerField(required=False, help_text="By how much more, or less where negative.")
    since = serializers.DateField(required=False)
    share = serializers.FloatField(required=False, help_text="Of the usage or the days, 0 to 1.")


class ForecastSerializer(serializers.Serializer[object]):
    meter = serializers.CharField()
    unit = serializers.CharField(help_text="What one is: request, byte, seat.")
    made_at = TimeField(help_text="Made at most once an hour, when the total has moved.")
    is_learning = serializers.BooleanField(help_text="Fewer than seven days of data: nothing alarms yet.")
    days_of_data = serializers.DecimalField(max_digits=7, decimal_places=2)
    used = QuantityField(help_text="When it was made.")
    limit = QuantityField(allow_null=True, help_text="Null when it is unlimited.")
    chance = serializers.DecimalField(
        max_digits=4,
        decimal_places=3,
        allow_null=True,
        help_text="Of reaching the limit before it resets, 0 to 1; null without a limit.",
    )
    reaches_at = ExpectedDateSerializer(
        allow_null=True, help_text=f"If it does. {RANGE} Null where that is unlikely, and where it has."
    )
    total_at_close = ExpectedTotalSerializer(help_text=RANGE)
    total_by_run_rate = QuantityField(help_text="At close, if the pace of the window so far is kept.")
    reason = ForecastReasonSerializer()
    resets_at = TimeField(help_text="The end of the window, not in it.")
    epoch = serializers.IntegerField(help_text="Of the limit.", min_value=1)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "On the way to the limit",
            value={
                "account": "acme",
                "at": "2026-11-20T10:12:00Z",
                "forecasts": [
                    {
                        "meter": "requests",
                        "unit": "request",
                        "made_at": "2026-11-20T10:00:00Z",
                        "is_learning": False,
                        "days_of_data": "56.00",
                        "used": "750000",
                        "limit": "1000000",
                        "chance": "0.860",
                        "reaches_at": {
                            "low": "2026-11-25T08:00:00Z",
                            "mid": "2026-11-27T20:00:00Z",
                            "high": "2026-11-30T09:00:00Z",
                        },
                        "total_at_close": {"low": "987000", "mid": "1043000", "high": "1185000"},
                        "total_by_run_rate": "1125000",
                        "reason": {"code": "weekday_up", "percent": 34, "since": "2026-11-12"},
                        "resets_at": "2026-12-01T00:00:00Z",
                        "epoch": 1,
                    }
                ],
            },
            response_only=True,
        )
    ]
)
class AccountForecastsSerializer(serializers.Serializer[object]):
    account = serializers.CharField(help_text="The account's key.")
    at = TimeField(help_text="When this was asked.")
    forecasts = ForecastSerializer(many=True)


class ForecastsView(KeyedView):
    scopes = {"GET": "limits:read"}

    @extend_schema(
        operation_id="forecasts_list",
        summary="Read what is expected of an account's limits",
        description=(
            "The latest forecast of every limit whose window contains this moment, by meter; of a limit that has none "
            "yet, nothing. Scope: `limits:read`."
        ),
        tags=["limits"],
        parameters=[ACCOUNT_KEY],
        responses={200: AccountForecastsSerializer} | refusals(404),
    )
    def get(self, request: Request, account_key: str) -> Response:
        try:
            account, limits = find_limits(account_key, at=self.at)
        except UnknownAccount:
            raise refuse_account() from None
        require_visible(self.key, account)
        found = read_latest_forecasts([limit.limit_id for limit in limits])
        written = [write_forecast(found[limit.limit_id]) for limit in limits if limit.limit_id in found]
        return Response({"account": account.key, "at": write_time(self.at), "forecasts": written})


def write_forecast(fact: ForecastFact) -> dict[str, Any]:
    """As ForecastSerializer describes it."""
    dates = None
    if fact.hit_low is not None and fact.hit_mid is not None and fact.hit_high is not None:
        dates = {
            "low": write_time(fact.hit_low),
            "mid": write_time(fact.hit_mid),
            "high": write_time(fact.hit_high),
        }
    totals = {"low": fact.total_low, "mid": fact.total_mid, "high": fact.total_high}
    return {
        "meter": fact.meter_key,
        "unit": fact.unit,
        "made_at": write_time(fact.made_at),
        "is_learning": fact.is_learning,
        "days_of_data": f"{fact.days_of_data:f}",
        "used": write_quantity(fact.used),
        "limit": None if fact.quantity is None else write_quantity(fact.quantity),
        "chance": None if fact.p_hit is None else f"{fact.p_hit:f}",
        "reaches_at": dates,
        "total_at_close": {name: write_quantity(total) for name, total in totals.items()},
        "total_by_run_rate": write_quantity(fact.run_rate_total),
        "reason": {"code": fact.reason} | dict(fact.reason_params),
        "resets_at": write_time(fact.end),
        "epoch": fact.epoch,
    }
