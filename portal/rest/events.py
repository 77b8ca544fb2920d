"""`GET /api/v1/events/{source}/{id}`: the fate of one event, down to its line on an invoice.

A source or an id may hold slashes, which stand in the path as `%2F`. A WSGI server undoes that before Django sees the
path, so the path is read as it was sent, where the server tells it. Where it does not, or a proxy has undone it too,
the last slash parts source and id; `GET /api/v1/events/lookup?source=…&id=…` is plain anywhere.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metering.lookup import UnknownEvent
from metering.problems import Problem
from metering.rest.answers import refusals
from metering.rest.event_records import EventRecordSerializer, MeterCountSerializer, RejectionSerializer
from metering.rest.events import RECORD_EXAMPLE
from metering.rest.fields import TimeField
from metering.rest.rendering import ExactJSONRenderer
from metering.rest.views import KeyedView
from portal.event_fates import BilledCount, EventFateFact, read_fate

BASE = "/events/"
RAW_PATHS = ("RAW_URI", "REQUEST_URI")  # as gunicorn and uWSGI call it

DESCRIPTION = """\
When it was received and by which key, what it is worth now, which meters count it with what value and which do not and
why, the period that it lies in, the line that bills it, its correction, and what was refused under the same name.

`fate` is `counted`, `unmatched` (waits for its account), `late` (came after its period was final), `retracted`,
`replaced`, `rejected` (nothing of this name was ever kept; see `refusals`) or `pruned` (counted once, and dropped by
its age).
"""
LINE_EXAMPLE = {
    "invoice": "2026-0042",
    "line": 2,
    "description": "Traffic",
    "period_start": "2026-11-01T00:00:00Z",
    "period_end": "2026-12-01T00:00:00Z",
    "issued_at": "2026-12-01T01:00:00Z",
    "is_billed": True,
}
EXAMPLE = RECORD_EXAMPLE | {
    "meters": [meter | {"invoice_line": LINE_EXAMPLE} for meter in RECORD_EXAMPLE["meters"]],
    "refusals": [],
}


class InvoiceLineSerializer(serializers.Serializer[Any]):
    invoice = serializers.CharField(source="line.number")
    line = serializers.IntegerField(source="line.position")
    description = serializers.CharField(source="line.description")
    period_start = TimeField(source="line.period_start")
    period_end = TimeField(source="line.period_end")
    issued_at = TimeField(source="line.issued_at")
    is_billed = serializers.BooleanField(help_text="Whether the event is part of the line's quantity.")


class BilledMeterSerializer(MeterCountSerializer):
    invoice_line = serializers.SerializerMethodField(help_text="What bills that time of the meter; null until then.")

    def to_representation(self, billed: BilledCount) -> dict[str, Any]:
        self.billed = billed
        return super().to_representation(billed.count)

    @extend_schema_field(InvoiceLineSerializer(allow_null=True))
    def get_invoice_line(self, count: Any) -> dict[str, Any] | None:
        return None if self.billed.line is None else dict(InvoiceLineSerializer(self.billed).data)


class EventFateSerializer(EventRecordSerializer):
    meters = serializers.SerializerMethodField(  # type: ignore[assignment]  # those of the record, with their lines
        help_text="Those that count it, or would if it counted."
    )
    refusals = RejectionSerializer(many=True, help_text="What was sent under the same name and refused.")

    def to_representation(self, fate: EventFateFact) -> dict[str, Any]:
        self.joined = fate
        return super().to_representation(fate.record)

    @extend_schema_field(BilledMeterSerializer(many=True))
    def get_meters(self, record: Any) -> Any:
        return BilledMeterSerializer(self.joined.meters, many=True).data


class FateView(KeyedView):
    scopes = {"GET": "events:read"}
    renderer_classes = (ExactJSONRenderer,)

    def answer(self, source: str, event_id: str) -> Response:
        try:
            fate = read_fate(source, event_id, account_id=self.key.account_id)
        except UnknownEvent as error:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown_event", str(error)) from None
        return Response(EventFateSerializer(fate).data)


class EventView(FateView):
    @extend_schema(
        operation_id="events_retrieve",
        summary="Look one event up",
        description=DESCRIPTION + "\nSlashes within `source` and `id` are written `%2F`.",
        tags=["events"],
        parameters=[
            OpenApiParameter("source", OpenApiTypes.STR, OpenApiParameter.PATH),
            OpenApiParameter("id", OpenApiTypes.STR, OpenApiParameter.PATH),
        ],
        responses={200: EventFateSerializer, **refusals(404)},
        examples=[OpenApiExample("counted", value=EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, source: str, id: str) -> Response:
        return self.answer(*(read_raw_names(request.META) or (source, id)))


class EventLookupView(FateView):
    @extend_schema(
        operation_id="events_lookup",
        summary="Look one event up by parameters",
        description=DESCRIPTION,
        tags=["events"],
        parameters=[
            OpenApiParameter("source", OpenApiTypes.STR, OpenApiParameter.QUERY, required=True),
            OpenApiParameter("id", OpenApiTypes.STR, OpenApiParameter.QUERY, required=True),
        ],
        responses={200: EventFateSerializer, **refusals(404)},
        examples=[OpenApiExample("counted", value=EXAMPLE, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        return self.answer(request.query_params.get("source", ""), request.query_params.get("id", ""))


def read_raw_names(environ: Mapping[str, Any]) -> tuple[str, str] | None:
    """Source and id from the path as it was sent; None where the server does not tell it or it holds more slashes."""
    raw = next((str(environ[name]) for name in RAW_PATHS if environ.get(name)), "")
    parts = raw.partition("?")[0].partition(BASE)[2].split("/")
    if len(parts) != 2 or not all(parts):
        return None
    source, event_id = (unquote(part, errors="replace") for part in parts)
    return source, event_id
