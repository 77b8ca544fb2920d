"""`/api/v1/reservations`: keep a quantity of a limit, and say afterwards what was really used."""

from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from metering.decoding import MalformedBody, TooManyEvents, decode_events
from metering.events import EventFate, UsageEvent, encode_data
from metering.models import ReservationState
from metering.problems import Problem
from metering.reservations import (
    LASTS,
    LASTS_AT_MOST,
    LimitReached,
    NothingToHold,
    ReservationConflict,
    ReservationFact,
    UnknownReservation,
    find_reservation,
    hold_quantity,
    release_reservation,
)
from metering.rest.answers import refusals
from metering.rest.fields import QuantityField, TimeField, write_quantity, write_time
from metering.rest.permissions import may_see
from metering.rest.views import KeyedView
from metering.settling import NotAQuantity, RefusedUsage, settle_by_events, settle_by_quantity

SMALLEST = Decimal(1).scaleb(-12)
SCOPE = "reservations:write"
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "maxLength": 255},
    OpenApiParameter.HEADER,
    description="Your own name for this reservation: asked again by the same name, the same one is the answer.",
)
RESERVATION_ID = OpenApiParameter("reservation_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
EXAMPLE = {
    "id": "4be0643f-1d98-573b-97cd-ca98a65347dd",
    "account": "acme",
    "meter": "gpu_minutes",
    "quantity": "90",
    "over_limit": False,
    "state": "held",
    "created_at": "2026-11-25T09:30:00Z",
    "expires_at": "2026-11-25T09:35:00Z",
    "ended_at": None,
    "settled_quantity": None,
}
SETTLED = EXAMPLE | {"state": "settled", "ended_at": "2026-11-25T09:32:10Z", "settled_quantity": "71.5"}


class RequestedHoldSerializer(serializers.Serializer[object]):
    account = serializers.CharField(max_length=120, trim_whitespace=False, help_text="Its key or an alias.")
    meter = serializers.CharField(max_length=60, trim_whitespace=False)
    quantity = QuantityField(min_value=SMALLEST, help_text="How much to keep, above zero.")
    expires_in = serializers.IntegerField(
        min_value=1,
        max_value=int(LASTS_AT_MOST.total_seconds()),
        default=int(LASTS.total_seconds()),
        help_text="Seconds. A hold ends with the window of its limit at the latest.",
    )


class SettlementSerializer(serializers.Serializer[object]):
    """Either `quantity` or `events`."""

    quantity = QuantityField(min_value=0, required=False, help_text="What was really used, of a sum of one property.")
    time = TimeField(required=False, help_text="With `quantity`: when it was used; now when absent.")
    # The serializer's own `data` is a property, and this field takes its place only among its fields.
    data = serializers.DictField(  # type: ignore[assignment]
        required=False, help_text="With `quantity`: what else the event says, for the meter's filter and dimensions."
    )
    events = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="CloudEvents of the reservation's account."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("quantity" in attrs) == ("events" in attrs):
            raise ValidationError("Settle by a quantity or by events: one of them.", "quantity_or_events")
        if "events" in attrs and ("time" in attrs or "data" in attrs):
            raise ValidationError("Events have their own time and data.", "quantity_or_events")
        return attrs


class ReservationSerializer(serializers.Serializer[object]):
    id = serializers.UUIDField()
    account = serializers.CharField()
    meter = serializers.CharField()
    quantity = QuantityField()
    over_limit = serializers.BooleanField(help_text="Granted beyond the limit, which is soft.")
    state = serializers.ChoiceField(ReservationState.choices)
    created_at = TimeField()
    expires_at = TimeField(help_text="What is not settled by then is given back, within a minute.")
    ended_at = TimeField(allow_null=True, help_text="When it was settled, released or expired.")
    settled_quantity = QuantityField(
        allow_null=True,
        help_text="What the settlement counted anew; null before, and where what events are worth does not add up.",
    )


def answer_reservation(reservation: ReservationFact, *, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """As ReservationSerializer describes it, in a tenth of its time."""
    settled = reservation.settled_quantity
    body = {
        "id": str(reservation.id),
        "account": reservation.account_key,
        "meter": reservation.meter_key,
        "quantity": write_quantity(reservation.quantity),
        "over_limit": reservation.passes_limit,
        "state": reservation.state,
        "created_at": write_time(reservation.created_at),
        "expires_at": write_time(reservation.expires_at),
        "ended_at": None if reservation.ended_at is None else write_time(reservation.ended_at),
        "settled_quantity": None if settled is None else write_quantity(settled),
    }
    return Response(body, status=status)


class ReservationsView(KeyedView):
    scopes = {"POST": SCOPE}

    @extend_schema(
        operation_id="reservations_create",
        summary="Hold a quantity",
        description=(
            "Keeps a quantity of the account's limit before you spend it. A hard limit refuses what it has no room "
            "for, whoever else asks at the same moment; a soft limit grants it and says so in `over_limit`. "
            "201 for a new reservation, 200 for one that this `Idempotency-Key` made before. Scope: "
            f"`{SCOPE}`."
        ),
        tags=["reservations"],
        parameters=[IDEMPOTENCY_KEY],
        request=RequestedHoldSerializer,
        responses={201: ReservationSerializer, 200: ReservationSerializer} | refusals(404, 409, has_body=True),
        examples=[
            OpenApiExample(
                "Ask",
                value={"account": "acme", "meter": "gpu_minutes", "quantity": "90", "expires_in": 300},
                request_only=True,
            ),
            OpenApiExample("Held", value=EXAMPLE, response_only=True, status_codes=["200", "201"]),
        ],
    )
    def post(self, request: Request) -> Response:
        asked = RequestedHoldSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            hold = hold_quantity(
                account_key=asked.validated_data["account"],
                meter_key=asked.validated_data["meter"],
                quantity=asked.validated_data["quantity"],
                lasts=timedelta(seconds=asked.validated_data["expires_in"]),
                at=self.at,
                api_key_id=self.key.id,
                idempotency_key=read_idempotency_key(request),
                only_account_id=self.key.account_id,
            )
        except NothingToHold as error:
            raise refuse_nothing(error) from None
        except LimitReached as error:
            raise refuse_limit(error) from None
        except ReservationConflict as error:
            raise Problem(HTTPStatus.CONFLICT, "idempotency_conflict", str(error)) from None
        return answer_reservation(hold.reservation, status=HTTPStatus.CREATED if hold.is_new else HTTPStatus.OK)


def read_idempotency_key(request: Request) -> str:
    name: str = request.headers.get("Idempotency-Key", "").strip()
    if len(name) > 255 or not name.isprintable():
        raise ValidationError({"Idempotency-Key": "Send at most 255 printable characters."})
    return name


def refuse_nothing(error: NothingToHold) -> Problem:
    if error.what == "limit":
        detail = "The account has no limit of this meter at present: there is nothing to hold a quantity of."
        return Problem(HTTPStatus.CONFLICT, "no_limit", detail)
    return Problem(HTTPStatus.NOT_FOUND, f"unknown_{error.what}", f"This key sees no {error.what} of that name.")


def refuse_limit(error: LimitReached) -> Problem:
    numbers = {"limit": error.quantity, "used": error.used, "held": error.held, "remaining": error.remaining}
    return Problem(
        HTTPStatus.CONFLICT,
        "limit_reached",
        f"The limit has {write_quantity(error.remaining)} left, less than was asked for.",
        extensions={name: write_quantity(value) for name, value in numbers.items()} | {"resets_at": error.resets_at},
    )


class OneReservationView(KeyedView):
    """Of the reservations that the key may see, the one that the path names."""

    def find(self, reservation_id: UUID) -> ReservationFact:
        try:
            reservation = find_reservation(reservation_id)
        except UnknownReservation:
            reservation = None
        if reservation is None or not may_see(self.key, reservation.account_id):
            raise NotFound("This key sees no reservation of that id.", "unknown_reservation")
        return reservation


class ReservationView(OneReservationView):
    scopes = {"GET": SCOPE}

    @extend_schema(
        operation_id="reservations_retrieve",
        summary="Look at a reservation",
        description=f"Scope: `{SCOPE}`.",
        tags=["reservations"],
        parameters=[RESERVATION_ID],
        responses={200: ReservationSerializer} | refusals(404),
        examples=[OpenApiExample("Held", value=EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, reservation_id: UUID) -> Response:
        return answer_reservation(self.find(reservation_id))


class SettleView(OneReservationView):
    scopes = {"POST": SCOPE}

    @extend_schema(
        operation_id="reservations_settle",
        summary="Settle a reservation",
        description=(
            "The whole hold is given back, and what you really used counts, be it less or more than was held, also "
            "above the limit: it happened. Send the `events`, stored and counted as by `POST /api/v1/events`, "
            "all of them or none; or the `quantity` alone, where the meter is a plain sum (or counts, and it is 1): "
            "then the event is written for you. Settling twice changes nothing and is answered the same; what has "
            f"expired may still be settled. Scope: `{SCOPE}`."
        ),
        tags=["reservations"],
        parameters=[RESERVATION_ID],
        request=SettlementSerializer,
        responses={200: ReservationSerializer} | refusals(404, 409, has_body=True),
        examples=[
            OpenApiExample("A quantity", value={"quantity": "71.5"}, request_only=True),
            OpenApiExample("Settled", value=SETTLED, response_only=True, status_codes=["200"]),
        ],
    )
    def post(self, request: Request, reservation_id: UUID) -> Response:
        reservation = self.find(reservation_id)
        asked = SettlementSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            return answer_reservation(self.settle(reservation.id, dict(asked.validated_data)))
        except ReservationConflict as error:
            raise Problem(HTTPStatus.CONFLICT, "reservation_ended", str(error)) from None
        except NotAQuantity as error:
            raise ValidationError({"quantity": [str(error)]}, "events_needed") from None
        except RefusedUsage as error:
            raise refuse_usage(error) from None

    def settle(self, reservation_id: UUID, asked: dict[str, Any]) -> ReservationFact:
        if "events" in asked:
            events = read_events(asked["events"])
            return settle_by_events(reservation_id, events=events, at=self.at, api_key_id=self.key.id)
        return settle_by_quantity(
            reservation_id,
            quantity=asked["quantity"],
            time=asked.get("time"),
            data=asked.get("data"),
            at=self.at,
            api_key_id=self.key.id,
        )


def read_events(rows: list[dict[str, Any]]) -> list[UsageEvent | EventFate]:
    """As the ingestion of a plain list reads them."""
    try:
        return list(decode_events(encode_data(rows), maximum=settings.EVENT_BATCH_MAX))
    except MalformedBody as error:
        raise ValidationError({"events": [str(error)]}, "malformed") from None
    except TooManyEvents as error:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_events", str(error)) from None


def refuse_usage(error: RefusedUsage) -> Problem:
    """400 with the reason for each event that was refused."""
    errors = [
        {"field": f"events.{position}.{fate.field}".rstrip("."), "code": fate.code, "message": fate.message}
        for position, fate in error.refused.items()
    ]
    return Problem(HTTPStatus.BAD_REQUEST, "usage_refused", str(error), extensions={"errors": errors})


class ReleaseView(OneReservationView):
    scopes = {"POST": SCOPE}

    @extend_schema(
        operation_id="reservations_release",
        summary="Release a reservation",
        description=(
            "Nothing was used: the hold is given back. Quiet when it was released, or has expired, already. "
            f"Scope: `{SCOPE}`."
        ),
        tags=["reservations"],
        parameters=[RESERVATION_ID],
        request=None,
        responses={200: ReservationSerializer} | refusals(404, 409),
        examples=[
            OpenApiExample(
                "Released",
                value=EXAMPLE | {"state": "released", "ended_at": "2026-11-25T09:30:02Z"},
                response_only=True,
                status_codes=["200"],
            )
        ],
    )
    def post(self, request: Request, reservation_id: UUID) -> Response:
        reservation = self.find(reservation_id)
        try:
            return answer_reservation(release_reservation(reservation.id, at=self.at))
        except ReservationConflict as error:
            raise Problem(HTTPStatus.CONFLICT, "reservation_ended", str(error)) from None
