"""What may be asked of `GET /api/v1/usage`, and what of it cannot be."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime
from rest_framework import serializers

from metering.calendars import UnknownTimeZone, find_time_zone

REPEATED = ("account", "meter", "group_by")
FILTER = re.compile(r"filter\[(.+)\]", re.DOTALL)
FIRST_YEAR, LAST_YEAR = 2000, 2100
MAX_REPEATED = 100

MOMENT_HELP = "A date or a time in ISO 8601; without an offset by the clocks of `time_zone`."


class UsageQuerySerializer(serializers.Serializer[Any]):
    account = serializers.ListField(
        child=serializers.CharField(max_length=120),
        required=False,
        max_length=MAX_REPEATED,
        help_text="Key or alias; repeat it for several. Absent: every account that the key may see.",
    )
    meter = serializers.ListField(
        child=serializers.CharField(max_length=60),
        required=False,
        max_length=MAX_REPEATED,
        help_text="Key; repeat it for several. Absent: every meter.",
    )
    start = serializers.CharField(
        required=False, help_text=f"{MOMENT_HELP} It is in the window. Absent: the first of this month; see `window`."
    )
    end = serializers.CharField(required=False, help_text=f"{MOMENT_HELP} It is not in the window. Absent: now.")
    window = serializers.ChoiceField(
        choices=["hour", "day", "month", "period"],
        required=False,
        help_text="Absent: one total. `hour`, `day` and `month` are those of `time_zone`; the first and the last are "
        "cut at `start` and `end`. `period`: each window of the account's limits that touches this time, whole; "
        "without `start` and `end` the present one.",
    )
    time_zone = serializers.CharField(required=False, default="UTC", help_text="A name of the IANA database.")
    group_by = serializers.ListField(
        child=serializers.CharField(max_length=120),
        required=False,
        max_length=10,
        help_text="A dimension of the meters; repeat it for several. `account` and `meter` may be named: they are "
        "always told apart.",
    )

    def validate_time_zone(self, name: str) -> ZoneInfo:
        try:
            return find_time_zone(name)
        except UnknownTimeZone as error:
            raise serializers.ValidationError(f"{error}.", "unknown_time_zone") from None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        zone: ZoneInfo = attrs["time_zone"]
        for name in ("start", "end"):
            if name in attrs:
                attrs[name] = read_moment(name, attrs[name], zone)
        return attrs


def read_query(params: QueryDict) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """What was asked, by the names of the serializer, and the values of each filter. Raises ValidationError."""
    filters = {match[1]: params.getlist(name) for name in params if (match := FILTER.fullmatch(name))}
    known = UsageQuerySerializer().fields
    unknown = [name for name in params if name not in known and not FILTER.fullmatch(name)]
    if unknown:
        raise serializers.ValidationError({name: ["There is no such parameter."] for name in unknown[:5]}, "unknown")
    if len(filters) > 10:
        raise serializers.ValidationError({"filter": ["At most 10 dimensions can be filtered."]}, "too_many")
    data: Mapping[str, Any] = {
        name: params.getlist(name) if name in REPEATED else params[name] for name in params if name in known
    }
    query = UsageQuerySerializer(data=data)
    query.is_valid(raise_exception=True)
    return query.validated_data, filters


def read_moment(name: str, text: str, zone: ZoneInfo) -> datetime:
    """In UTC. A plus sign that came in a query unescaped is a blank here."""
    moment = parse_moment(re.sub(r" (?=\d\d:?\d\d$)", "+", text))
    if moment is None or not FIRST_YEAR <= moment.year < LAST_YEAR:
        message = f"Write 2026-11-25 or 2026-11-25T09:30:00+01:00, from {FIRST_YEAR} to {LAST_YEAR}."
        raise serializers.ValidationError({name: [message]}, "invalid")
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def parse_moment(text: str) -> datetime | None:
    try:
        day: date | None = parse_date(text)
        return datetime.combine(day, time()) if day else parse_datetime(text)
    except ValueError:  # of the right form, but no such day
        return None
