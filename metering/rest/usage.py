"""`GET /api/v1/usage`: what accounts used of meters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metering.accounts import AccountRef, find_accounts, list_accounts, read_accounts
from metering.breakdowns import UnknownDimension
from metering.catalogue import UnknownMeter
from metering.history import HistoryPruned
from metering.problems import Problem
from metering.rest.answers import refusals
from metering.rest.fields import write_quantity
from metering.rest.permissions import may_see, refuse_account
from metering.rest.usage_query import UsageQuerySerializer, read_query
from metering.rest.views import KeyedView
from metering.series import MAX_POINTS, Question, QuestionTooWide, SeriesPoint, UsageSeries, answer_question

TOLD_APART = ("account", "meter")

DESCRIPTION = f"""\
What accounts used of meters over `[start, end)`: a total, or a point for each hour, day, month or period; one series
for each account, meter and group, at most {MAX_POINTS:,} points. Where nothing happened the quantity is 0 and so is
`event_count`; of a meter that carries over the quantity is its level by the end of each window.

Scope: `usage:read`. The key of an account sees its own usage alone.
"""

FILTER = OpenApiParameter(
    "filter",
    type={"type": "object", "additionalProperties": {"type": "string"}},
    style="deepObject",
    explode=True,
    description="`filter[region]=eu` counts only what has this value of the dimension; repeat it for several values. "
    "Numbers, `true`, `false` and `null` go by their JSON; `null` stands for a missing value too.",
)


class PointSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField(help_text="In the clocks of `time_zone`.")
    end = serializers.DateTimeField(help_text="Not in the window.")
    quantity = serializers.CharField(help_text="Exact, as the meter rounds it.")
    event_count = serializers.IntegerField(min_value=0, help_text="How many events lie in the window.")


class SeriesSerializer(serializers.Serializer[Any]):
    account = serializers.CharField(help_text="The account's key.")
    meter = serializers.CharField()
    unit = serializers.CharField(help_text="What one is: request, byte, seat.")
    aggregation = serializers.CharField()
    group = serializers.DictField(
        child=serializers.JSONField(), help_text="The value of each dimension of `group_by`; null where it is missing."
    )
    points = PointSerializer(many=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Two days by region",
            value={
                "start": "2026-11-24T00:00:00+01:00",
                "end": "2026-11-26T00:00:00+01:00",
                "window": "day",
                "time_zone": "Europe/Paris",
                "series": [
                    {
                        "account": "acme",
                        "meter": "bandwidth",
                        "unit": "byte",
                        "aggregation": "sum",
                        "group": {"region": "eu"},
                        "points": [
                            {
                                "start": "2026-11-24T00:00:00+01:00",
                                "end": "2026-11-25T00:00:00+01:00",
                                "quantity": "1500000.5",
                                "event_count": 1200,
                            },
                            {
                                "start": "2026-11-25T00:00:00+01:00",
                                "end": "2026-11-26T00:00:00+01:00",
                                "quantity": "0",
                                "event_count": 0,
                            },
                        ],
                    }
                ],
            },
            response_only=True,
        )
    ]
)
class UsageSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    window = serializers.CharField(allow_null=True)
    time_zone = serializers.CharField()
    series = SeriesSerializer(many=True)


class UsageView(KeyedView):
    scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="usage_read",
        summary="Read usage",
        description=DESCRIPTION,
        tags=["usage"],
        parameters=[UsageQuerySerializer, FILTER],
        responses={200: UsageSerializer} | refusals(400, 404, 409),
    )
    def get(self, request: Request) -> Response:
        asked, filters = read_query(request.query_params)
        start, end = self.find_window(asked)
        question = Question(
            accounts=self.find_accounts(asked.get("account", ())),
            meter_keys=tuple(dict.fromkeys(asked.get("meter", ()))),
            start=start,
            end=end,
            window=asked.get("window", ""),
            zone=asked["time_zone"],
            group_by=[name for name in dict.fromkeys(asked.get("group_by", ())) if name not in TOLD_APART],
            filters=filters,
        )
        return Response(write_answer(question, answer(question)))

    def find_window(self, asked: dict[str, Any]) -> tuple[datetime, datetime]:
        """In UTC. 400 when it ends before it starts."""
        if asked.get("window") == "period" and "start" not in asked and "end" not in asked:
            return self.at, self.at + timedelta(microseconds=1)
        end = asked.get("end", self.at.astimezone(UTC))
        start = asked.get("start") or begin_month(end, asked["time_zone"])
        if start > end:
            raise serializers.ValidationError({"end": ["A window cannot end before it starts."]}, "invalid")
        return start, end

    def find_accounts(self, names: Sequence[str]) -> list[AccountRef]:
        """Two accounts of one name are one. 404 for one that the key may not see, as for one that is not there."""
        if names:
            found = find_accounts(names)
            if len(found) < len(set(names)) or not all(may_see(self.key, account.id) for account in found.values()):
                raise refuse_account()
            return list({account.id: account for account in found.values()}.values())
        if self.key.account_id is not None:
            return list(read_accounts([self.key.account_id]).values())
        return list_accounts(limit=MAX_POINTS + 1)


def answer(question: Question) -> list[UsageSeries]:
    try:
        return answer_question(question)
    except UnknownMeter as error:
        raise serializers.ValidationError({"meter": [str(error)]}, "unknown_meter") from None
    except UnknownDimension as error:
        field = "filter" if question.filters and not question.group_by else "group_by"
        raise serializers.ValidationError({field: [str(error)]}, "unknown_dimension") from None
    except QuestionTooWide as error:
        raise serializers.ValidationError({"window": [str(error)]}, "too_many_points") from None
    except HistoryPruned as error:
        raise Problem(HTTPStatus.CONFLICT, "history_pruned", str(error)) from None


def begin_month(end: datetime, zone: ZoneInfo) -> datetime:
    """The first of the month that the last moment before `end` lies in."""
    local = (end - timedelta(microseconds=1)).astimezone(zone)
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


def write_answer(question: Question, series: Sequence[UsageSeries]) -> dict[str, Any]:
    """Without the serializers: ten thousand points take a tenth of the time."""
    zone = question.zone
    return {
        "start": write_time(question.start, zone),
        "end": write_time(question.end, zone),
        "window": question.window or None,
        "time_zone": zone.key,
        "series": [
            {
                "account": each.account_key,
                "meter": each.meter_key,
                "unit": each.unit,
                "aggregation": each.aggregation,
                "group": each.group,
                "points": [write_point(point, zone) for point in each.points],
            }
            for each in series
        ],
    }


def write_point(point: SeriesPoint, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "start": write_time(point.start, zone),
        "end": write_time(point.end, zone),
        "quantity": write_quantity(point.quantity),
        "event_count": point.event_count,
    }


def write_time(moment: datetime, zone: ZoneInfo) -> str:
    text = moment.astimezone(zone).isoformat()
    return text.replace("+00:00", "Z") if zone.key == "UTC" else text
