"""`GET /api/v1/events` and `GET /api/v1/rejected`: what came in, and what was refused, newest first."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from metering.api.events import receive_events
from metering.event_log import FATES, EventQuery, InvalidWindow, LogPosition, begin_query, read_page
from metering.events import MAX_LENGTHS
from metering.rejections import list_rejections
from metering.rest.answers import refusals
from metering.rest.event_records import EventRecordSerializer, RejectionSerializer
from metering.rest.fields import TimeField
from metering.rest.paging import PAGE, PAGE_MAX, read_position, write_position
from metering.rest.rendering import ExactJSONRenderer
from metering.rest.views import KeyedView

RECORD_EXAMPLE: dict[str, Any] = {
    "source": "urn:example:shop",
    "id": "req-1f0c",
    "fate": "counted",
    "type": "api.request",
    "subject": "acme",
    "account": "acme",
    "time": "2026-11-25T09:30:00Z",
    "received_at": "2026-11-25T09:30:01.250000Z",
    "key": "collector",
    "data": {"bytes": 1420, "region": "eu-west-1"},
    "meters": [
        {
            "meter": "traffic",
            "unit": "byte",
            "aggregation": "sum",
            "value": "1420",
            "dimensions": {"region": "eu-west-1"},
            "period": {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z", "closed_at": None},
            "is_late": False,
        }
    ],
    "skipped": [
        {
            "meter": "duration",
            "code": "value_missing",
            "field": "data.ms",
            "message": "The data needs a value called ms.",
        }
    ],
    "correction": None,
    "replaces": [],
}
REJECTION_EXAMPLE: dict[str, Any] = {
    "id": 17,
    "key": "collector",
    "event": {"source": "urn:example:shop", "id": "req-1f0d"},
    "code": "unknown_type",
    "field": "type",
    "message": "No meter counts this type; known are: api.request.",
    "body": '{"source":"urn:example:shop","id":"req-1f0d","type":"api.requets","subject":"acme"}',
    "is_cut": False,
    "received_at": "2026-11-25T09:30:01Z",
    "last_at": "2026-11-25T09:31:01Z",
    "times": 2,
    "replayed_at": None,
    "replay_fate": "",
}


class TextField(serializers.CharField):
    """A condition: absent or empty asks for nothing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, default="", allow_blank=True, trim_whitespace=False, **options)


class PageSerializer(serializers.Serializer[Any]):
    account = TextField(max_length=120, help_text="Key or alias. A key of an account sees that account alone.")
    source = TextField(max_length=MAX_LENGTHS["source"])  # type: ignore[assignment]  # the event's
    id = TextField(max_length=MAX_LENGTHS["id"])
    text = TextField(max_length=200, help_text="Looked for in ids, sources, subjects and data, whatever its case.")
    limit = serializers.IntegerField(required=False, default=PAGE, min_value=1, max_value=PAGE_MAX)
    after = TextField(max_length=2_000, help_text="`next` of the page before.")


class EventListQuerySerializer(PageSerializer):
    type = TextField(max_length=MAX_LENGTHS["type"])
    subject = TextField(max_length=MAX_LENGTHS["subject"])
    fate = serializers.ChoiceField(FATES, required=False, default="", allow_blank=True)
    start = TimeField(required=False, default=None, help_text="Received from then on; the day before `end` if absent.")
    end = TimeField(required=False, default=None, help_text="Received before then; now if absent. At most 31 days.")


class RejectedListQuerySerializer(PageSerializer):
    code = TextField(max_length=60)


class EventListSerializer(serializers.Serializer[Any]):
    events = EventRecordSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="`after` for the next page; null on the last.")


class RejectedListSerializer(serializers.Serializer[Any]):
    rejected = RejectionSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="`after` for the next page; null on the last.")


class LogView(KeyedView):
    """What both lists share: whose rows are wanted."""

    scopes = {"GET": "events:read"}
    renderer_classes = (ExactJSONRenderer,)

    def read_query(self, request: Request, serializer: type[PageSerializer]) -> dict[str, Any]:
        query = serializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        terms = dict(query.validated_data)
        account = terms.pop("account")
        terms["account_id"] = self.find_account(account).id if account else self.key.account_id
        terms["event_id"] = terms.pop("id")
        return terms


class EventListView(LogView):
    @extend_schema(
        operation_id="events_list",
        summary="List events",
        description="What was received, newest first, with what became of each. Without a window, of the last day.",
        tags=["events"],
        parameters=[EventListQuerySerializer],
        responses={200: EventListSerializer, **refusals(400, 404)},
        examples=[OpenApiExample("page", value={"events": [RECORD_EXAMPLE], "next": None}, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        terms = self.read_query(request, EventListQuerySerializer)
        limit = terms.pop("limit")
        position = read_position(terms.pop("after"), tuple[datetime, str, str])
        page = read_page(self.begin(terms), after=LogPosition(*position) if position else None, limit=limit)
        body = {"events": page.events, "next": write_position(page.next)}
        return Response(EventListSerializer(body).data)

    def begin(self, terms: dict[str, Any]) -> EventQuery:
        try:
            return begin_query(at=self.at, **terms)
        except (InvalidWindow, OverflowError) as error:
            raise ValidationError({"start": str(error)}) from None


class RejectedListView(LogView):
    @extend_schema(
        operation_id="rejected_list",
        summary="List what was refused",
        description=(
            "Rows that were rejected or in conflict, with the reason and what was sent, newest first. A key of an "
            "account sees what keys of that account sent. Kept for 30 days unless the vendor says otherwise."
        ),
        tags=["events"],
        parameters=[RejectedListQuerySerializer],
        responses={200: RejectedListSerializer, **refusals(400, 404)},
        examples=[OpenApiExample("page", value={"rejected": [REJECTION_EXAMPLE], "next": None}, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        terms = self.read_query(request, RejectedListQuerySerializer)
        limit = terms.pop("limit")
        after = read_position(terms.pop("after"), tuple[datetime, int])
        rows = list_rejections(after=after, limit=limit + 1, **terms)
        shown = rows[:limit]
        end = (shown[-1].received_at, shown[-1].id) if len(rows) > limit else None
        return Response(RejectedListSerializer({"rejected": shown, "next": write_position(end)}).data)


list_events = EventListView.as_view()


@csrf_exempt
def answer_events(request: HttpRequest) -> HttpResponseBase:
    """One address, two ways in: who reads goes through the API's common ground, who sends takes the short way."""
    return list_events(request) if request.method in ("GET", "HEAD") else receive_events(request)


# What the description is made from.
answer_events.cls, answer_events.initkwargs = EventListView, {}  # type: ignore[attr-defined]
