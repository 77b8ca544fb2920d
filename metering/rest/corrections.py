"""`/api/v1/corrections`: retract and replace events, and read what was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, NoReturn

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from metering import corrections
from metering.corrections import CorrectionResult, EventFilter
from metering.events import EventFate
from metering.keys import UnknownKey, find_key_id
from metering.ledger import list_corrections
from metering.problems import Problem
from metering.rest.answers import refusals
from metering.rest.correction_examples import DONE, LEDGER, REQUESTS
from metering.rest.correction_fields import (
    LedgerQuerySerializer,
    LedgerSerializer,
    ReplaceSerializer,
    ResultSerializer,
    RetractMatchingSerializer,
    RetractSerializer,
)
from metering.rest.views import KeyedView

REFUSALS: dict[type[Exception], tuple[HTTPStatus, str]] = {
    corrections.UnknownEvent: (HTTPStatus.NOT_FOUND, "unknown_event"),
    corrections.AlreadyCorrected: (HTTPStatus.CONFLICT, "already_corrected"),
    corrections.CountChanged: (HTTPStatus.CONFLICT, "count_changed"),
    corrections.HistoryPruned: (HTTPStatus.CONFLICT, "history_pruned"),
    corrections.TooManyEvents: (HTTPStatus.CONFLICT, "too_many_events"),
    corrections.InvalidFilter: (HTTPStatus.BAD_REQUEST, "invalid_filter"),
    corrections.InvalidReason: (HTTPStatus.BAD_REQUEST, "invalid_reason"),
}

DESCRIPTION = """\
Let events count no more, or let another count in place of one. Events are never changed: a correction is a row beside
them, and rollups, limits and usage follow at once. What that changes in a period which is final becomes an adjustment.
Doing the same again changes nothing.

`retract` and `replace` name one event by its source and id; `retract_matching` takes every event of a filter that still
counts, up to 10,000, all or none. It is a dry run unless `dry_run` is false; then `expected_count` must be what the dry
run said, or nothing happens (409, `count_changed`). Alerts that spoke stay.

Scope: `events:correct`. An account's key corrects its own account's events; any other is unknown to it.
"""


class CorrectionsView(KeyedView):
    scopes = {"GET": "events:correct", "POST": "events:correct"}

    @extend_schema(
        operation_id="corrections_list",
        summary="Read the ledger of corrections",
        description="What was retracted and replaced, the youngest first. Scope: `events:correct`.",
        tags=["corrections"],
        parameters=[LedgerQuerySerializer],
        responses={200: LedgerSerializer} | refusals(400, 404),
        examples=[LEDGER],
    )
    def get(self, request: Request) -> Response:
        query = LedgerQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        values = query.validated_data
        account_id = self.key.account_id
        if "account" in values:
            account_id = self.find_account(values["account"]).id
        found = list_corrections(
            account_id=account_id,
            source=values.get("source", ""),
            event_id=values.get("id", ""),
            before=values.get("before"),
            limit=values["limit"],
        )
        last = found[-1].id if len(found) == values["limit"] else None
        return Response(LedgerSerializer({"corrections": found, "next": last}).data)

    @extend_schema(
        operation_id="corrections_create",
        summary="Retract or replace events",
        description=DESCRIPTION,
        tags=["corrections"],
        request=PolymorphicProxySerializer(
            component_name="CorrectionRequest",
            serializers=[RetractSerializer, ReplaceSerializer, RetractMatchingSerializer],
            resource_type_field_name=None,
        ),
        responses={200: ResultSerializer} | refusals(404, 409, has_body=True),
        examples=[*REQUESTS, DONE],
    )
    def post(self, request: Request) -> Response:
        correct = self.find_way(request.data)
        with telling_refusals():
            result, is_dry = correct(request.data)
        return Response(
            ResultSerializer(
                {
                    "event_count": result.event_count,
                    "dry_run": is_dry,
                    "replacement": result.replacement,
                    "sample": result.sample,
                    "changes": result.changes,
                    "has_more": result.has_more,
                }
            ).data
        )

    def find_way(self, body: Any) -> Callable[[Any], tuple[CorrectionResult, bool]]:
        """Raises ValidationError unless the body names exactly one."""
        ways = {"retract": self.retract, "replace": self.replace, "retract_matching": self.retract_matching}
        named = [name for name in ways if isinstance(body, dict) and name in body]
        if len(named) != 1:
            raise ValidationError("Name one of retract, replace and retract_matching.", "invalid")
        return ways[named[0]]

    def retract(self, body: Any) -> tuple[CorrectionResult, bool]:
        sent = RetractSerializer(data=body)
        sent.is_valid(raise_exception=True)
        name = sent.validated_data["retract"]
        return corrections.retract_event(name["source"], name["id"], **self.note(sent.validated_data)), False

    def replace(self, body: Any) -> tuple[CorrectionResult, bool]:
        sent = ReplaceSerializer(data=body)
        sent.is_valid(raise_exception=True)
        name, note = sent.validated_data["replace"], self.note(sent.validated_data)
        event = sent.build_event()
        return corrections.replace_event(name["source"], name["id"], event, api_key_id=self.key.id, **note), False

    def retract_matching(self, body: Any) -> tuple[CorrectionResult, bool]:
        sent = RetractMatchingSerializer(data=body)
        sent.is_valid(raise_exception=True)
        values = sent.validated_data
        wanted, note = self.build_filter(values["retract_matching"]), self.note(values)
        if values["dry_run"]:
            return corrections.find_retractable(wanted, at=self.at, account_id=note["account_id"]), True
        return corrections.retract_events(wanted, expected_count=values["expected_count"], **note), False

    def note(self, values: dict[str, Any]) -> dict[str, Any]:
        return {
            "reason": values["reason"],
            "made_by": f"key {self.key.name}",
            "at": self.at,
            "account_id": self.key.account_id,
        }

    def build_filter(self, values: dict[str, Any]) -> EventFilter:
        names: dict[str, Any] = {
            name: values[name] for name in ("start", "end", "subject", "type", "source") if name in values
        }
        if "account" in values:
            names["account_id"] = self.find_account(values["account"]).id
        if "key" in values:
            try:
                names["api_key_id"] = find_key_id(values["key"])
            except UnknownKey as error:
                raise ValidationError({"retract_matching": {"key": ErrorDetail(str(error), "unknown_key")}}) from None
        return EventFilter(**names)


@contextmanager
def telling_refusals() -> Iterator[None]:
    try:
        yield
    except corrections.ReplacementRefused as error:
        refuse_event(error.fate)
    except tuple(REFUSALS) as error:
        status, code = REFUSALS[type(error)]
        raise Problem(status, code, str(error)) from None


def refuse_event(fate: EventFate) -> NoReturn:
    detail = ErrorDetail(fate.message, fate.code)
    raise ValidationError({"event": {fate.field: detail} if fate.field else detail}) from None
