"""`GET /api/v1/accounts/{key}/limits`: how far each limit of an account is used, and when it begins anew."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metering.accounts import UnknownAccount
from metering.limits import LimitReading, find_limits
from metering.rest.answers import refusals
from metering.rest.fields import QuantityField, TimeField, write_quantity, write_time
from metering.rest.permissions import refuse_account, require_visible
from metering.rest.views import KeyedView

ACCOUNT_KEY = OpenApiParameter(
    "account_key", str, OpenApiParameter.PATH, description="The account, by its key or an alias."
)


class LimitSerializer(serializers.Serializer[object]):
    meter = serializers.CharField()
    unit = serializers.CharField(help_text="What one is: request, byte, seat.")
    used = QuantityField()
    held = QuantityField(help_text="By reservations that are open.")
    limit = QuantityField(allow_null=True, help_text="Null when it is unlimited.")
    remaining = QuantityField(allow_null=True, help_text="Limit less used and held, never below zero; null: unlimited.")
    percent = serializers.DecimalField(
        max_digits=60,
        decimal_places=2,
        allow_null=True,
        help_text="Of the limit, that is used; rounded down.",
    )
    is_hard = serializers.BooleanField(help_text="Whether a reservation beyond it is refused.")
    starts_at = TimeField()
    resets_at = TimeField(help_text="The end of the window, not in it.")
    epoch = serializers.IntegerField(help_text="Grows with each change of the limit.", min_value=1)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Three quarters used",
            value={
                "account": "acme",
                "at": "2026-11-25T09:30:00Z",
                "limits": [
                    {
                        "meter": "requests",
                        "unit": "request",
                        "used": "750000",
                        "held": "1000",
                        "limit": "1000000",
                        "remaining": "249000",
                        "percent": "75.00",
                        "is_hard": False,
                        "starts_at": "2026-11-01T00:00:00Z",
                        "resets_at": "2026-12-01T00:00:00Z",
                        "epoch": 1,
                    }
                ],
            },
            response_only=True,
        )
    ]
)
class AccountLimitsSerializer(serializers.Serializer[object]):
    account = serializers.CharField(help_text="The account's key.")
    at = TimeField(help_text="When this was so.")
    limits = LimitSerializer(many=True)


class LimitsView(KeyedView):
    scopes = {"GET": "limits:read"}

    @extend_schema(
        operation_id="limits_list",
        summary="Read an account's limits",
        description="Every limit whose window contains this moment, by meter. Scope: `limits:read`.",
        tags=["limits"],
        parameters=[ACCOUNT_KEY],
        responses={200: AccountLimitsSerializer} | refusals(404),
    )
    def get(self, request: Request, account_key: str) -> Response:
        try:
            account, limits = find_limits(account_key, at=self.at)
        except UnknownAccount:
            raise refuse_account() from None
        require_visible(self.key, account)
        written = [write_limit(limit) for limit in limits]
        return Response({"account": account.key, "at": write_time(self.at), "limits": written})


def write_limit(limit: LimitReading) -> dict[str, Any]:
    """As LimitSerializer describes it, in a tenth of its time: this is asked before each expensive action."""
    return {
        "meter": limit.meter_key,
        "unit": limit.unit,
        "used": write_quantity(limit.used),
        "held": write_quantity(limit.held),
        "limit": None if limit.quantity is None else write_quantity(limit.quantity),
        "remaining": None if limit.available is None else write_quantity(limit.available),
        "percent": None if limit.percent is None else f"{limit.percent:f}",
        "is_hard": limit.is_hard,
        "starts_at": write_time(limit.start),
        "resets_at": write_time(limit.resets_at),
        "epoch": limit.epoch,
    }
