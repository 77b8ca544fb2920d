"""`GET /api/v1/meters`: what is measured, and of which events."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metering.meters import list_meter_terms
from metering.rest.answers import refusals
from metering.rest.fields import QuantityField, TimeField
from metering.rest.views import KeyedView


@extend_schema_field({"type": ["object", "null"]})
class FilterField(serializers.JSONField):
    """As the meter has it."""


class VersionSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=1)
    event_type = serializers.CharField(help_text="The type of the events that it counts.")
    value = serializers.CharField(help_text="What an event is worth: an expression over its data; empty for a count.")
    filter = FilterField(allow_null=True, help_text="Which events count; null for all of the type.")
    dimensions = serializers.ListField(child=serializers.CharField(), help_text="What usage can be grouped by.")
    starts_at = TimeField(allow_null=True, help_text="From when on; null for always.")


class MeterSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    unit = serializers.CharField(help_text="What one is: request, byte, seat.")
    aggregation = serializers.CharField()
    percentile = QuantityField(allow_null=True, help_text="Of a percentile alone.")
    rounding = serializers.CharField(help_text="Of a reading: `round`, `ceil`, `floor`, or empty for none.")
    rounding_places = serializers.IntegerField()
    carries_over = serializers.BooleanField(help_text="Whether its level stays from one period to the next.")
    versions = VersionSerializer(many=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Bytes by region",
            value={
                "meters": [
                    {
                        "key": "bandwidth",
                        "name": "Bandwidth",
                        "unit": "byte",
                        "aggregation": "sum",
                        "percentile": None,
                        "rounding": "ceil",
                        "rounding_places": 0,
                        "carries_over": False,
                        "versions": [
                            {
                                "number": 1,
                                "event_type": "api.request",
                                "value": "request.bytes + response.bytes",
                                "filter": {"property": "status", "op": "<", "value": 500},
                                "dimensions": ["region"],
                                "starts_at": None,
                            }
                        ],
                    }
                ]
            },
            response_only=True,
        )
    ]
)
class MeterListSerializer(serializers.Serializer[Any]):
    meters = MeterSerializer(many=True)


class MetersView(KeyedView):
    scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="meters_list",
        summary="List the meters",
        description="Every meter with its versions, by key. Scope: `usage:read`.",
        tags=["usage"],
        responses={200: MeterListSerializer} | refusals(),
    )
    def get(self, request: Request) -> Response:
        return Response(MeterListSerializer({"meters": list_meter_terms()}).data)
