"""`GET /api/v1/accounts/{key}/limits`: how far each limit of an account is used, and when it begins anew."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metering.limits import read_limits
from metering.rest.answers import refusals
from metering.rest.fields import QuantityField, TimeField
from metering.rest.views import KeyedView

ACCOUNT_KEY = OpenApiParameter(
    "account_key", str, OpenApiParameter.PATH, description="The account, by its key or an alias."
)


class LimitSerializer(serializers.Serializer[object]):
    meter = serializers.CharField(source="meter_key")
    unit = serializers.CharField(help_text="What one is: request, byte, seat.")
    used = QuantityField()
    held = QuantityField(help_text="By reservations that are open.")
    limit = QuantityField(source="quantity", allow_null=True, help_text="Null when it is unlimited.")
    remaining = QuantityField(
        source="available", allow_null=True, help_text="Limit less used and held, never below zero; null: unlimited."
    )
    percent = serializers.DecimalField(
        max_digits=60,
        decimal_places=2,
        allow_null=True,
        help_text="Of the limit, that is used; rounded down.",
    )
    is_hard = serializers.BooleanField(help_text="Whether a reservation beyond it is refused.")
    starts_at = TimeField(source="start")
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
        account = self.find_account(account_key)
        limits = read_limits(account_id=account.id, at=self.at)
        return Response(AccountLimitsSerializer({"account": account.key, "at": self.at, "limits": limits}).data)
