"""How an event and what became of it read in JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from metering.numbers import number_text
from metering.outcomes import EventRecord, Standing
from metering.rest.fields import TimeField
from metering.rest.rendering import StoredJSONField

STANDINGS = [(standing.value, standing.value) for standing in Standing]


class NameSerializer(serializers.Serializer[Any]):
    """The name of an event."""

    source = serializers.CharField()  # type: ignore[assignment]  # the event's, not the field's
    id = serializers.CharField()


class PeriodSerializer(serializers.Serializer[Any]):
    start = TimeField()
    end = TimeField(help_text="Excluded.")
    closed_at = TimeField(allow_null=True, help_text="When the period became final.")


class MeterCountSerializer(serializers.Serializer[Any]):
    meter = serializers.CharField(source="meter_key")
    unit = serializers.CharField()
    aggregation = serializers.CharField()
    value = serializers.SerializerMethodField(
        help_text="An exact number, or the JSON text of a value that is counted once."
    )
    dimensions = serializers.DictField(child=serializers.JSONField())
    period = PeriodSerializer(allow_null=True, help_text="The limit's window that the event lies in.")
    is_late = serializers.BooleanField(help_text="It came after the period was final.")

    @extend_schema_field(str)
    def get_value(self, count: Any) -> str:
        return count.value if isinstance(count.value, str) else number_text(count.value)


class SkipSerializer(serializers.Serializer[Any]):
    meter = serializers.CharField()
    code = serializers.CharField()
    field = serializers.CharField()
    message = serializers.CharField()


class EventCorrectionSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["retract", "replace"])
    replacement = serializers.SerializerMethodField(help_text="The event that counts in its place.")
    reason = serializers.CharField()
    made_by = serializers.CharField()
    made_at = TimeField()

    @extend_schema_field(NameSerializer(allow_null=True))
    def get_replacement(self, correction: Any) -> dict[str, str] | None:
        return write_name(correction.replacement) if correction.replacement else None


class RejectionSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    key = serializers.CharField(source="key_name", help_text="Who sent it.")
    event = serializers.SerializerMethodField(help_text="As far as it could be read.")
    code = serializers.CharField()
    field = serializers.CharField()
    message = serializers.CharField()
    body = serializers.CharField(help_text="What was sent.")
    is_cut = serializers.BooleanField(help_text="More was sent than is kept.")
    received_at = TimeField()
    last_at = TimeField(help_text="When the same was sent most recently.")
    times = serializers.IntegerField()
    replayed_at = TimeField(allow_null=True)
    replay_fate = serializers.CharField(help_text="What became of it when it was replayed; empty before.")

    @extend_schema_field(NameSerializer)
    def get_event(self, rejection: Any) -> dict[str, str]:
        return write_name((rejection.source, rejection.event_id))


class EventRecordSerializer(serializers.Serializer[Any]):
    source = serializers.CharField()  # type: ignore[assignment]  # the event's, not the field's
    id = serializers.CharField()
    fate = serializers.ChoiceField(STANDINGS, source="standing", help_text="What the event is worth now.")
    type = serializers.CharField()
    subject = serializers.CharField()
    account = serializers.CharField(source="account.key", allow_null=True, default=None)
    time = TimeField(source="happened_at", allow_null=True)
    received_at = TimeField(allow_null=True)
    key = serializers.CharField(source="key_name", help_text="The name of the API key that sent it, or nothing.")
    data = StoredJSONField(allow_null=True)  # type: ignore[assignment]  # the event's
    meters = MeterCountSerializer(many=True, help_text="Those that count it, or would if it counted.")
    skipped = SkipSerializer(many=True, help_text="Meters of its type that do not count it, and why.")
    correction = EventCorrectionSerializer(allow_null=True)
    replaces = serializers.SerializerMethodField(help_text="Events in whose place this one counts.")

    @extend_schema_field(NameSerializer(many=True))
    def get_replaces(self, record: EventRecord) -> list[dict[str, str]]:
        return [write_name(name) for name in record.replaces]


def write_name(name: tuple[str, str]) -> dict[str, str]:
    return {"source": name[0], "id": name[1]}
