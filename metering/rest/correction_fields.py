"""What a correction looks like in JSON, both ways."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from metering.checking import MAX_DEPTH, is_deeper
from metering.corrections import REASON_MAX
from metering.events import MAX_LENGTHS, UsageEvent, encode_data
from metering.ledger import PAGE_MAX
from metering.matching import MATCHED_MAX
from metering.rest.fields import QuantityField, TimeField


def text_field(name: str, **options: Any) -> serializers.CharField:
    return serializers.CharField(max_length=MAX_LENGTHS[name], trim_whitespace=False, **options)


class EventNameSerializer(serializers.Serializer[Any]):
    source = text_field("source")  # type: ignore[assignment]  # DRF's own attribute of this name is no field
    id = text_field("id")


@extend_schema_field({"type": "object", "description": "What the meters count and group by.", "default": {}})
class DataField(serializers.DictField):
    """A JSON object that an event can hold."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        if is_deeper(value, MAX_DEPTH):
            raise serializers.ValidationError(f"The data may be nested at most {MAX_DEPTH} deep.", "invalid")
        try:
            encode_data(value)
        except (ValueError, OverflowError) as error:  # half a surrogate pair
            raise serializers.ValidationError("The data cannot be kept as JSON.", "invalid") from error
        return value


class NewEventSerializer(EventNameSerializer):
    """As it would be sent, with an id of its own."""

    type = text_field("type")
    subject = text_field("subject", help_text="The account, by its key or an alias.")
    time = TimeField(required=False, help_text="When it happened. Absent: when the event did that it replaces.")
    data = DataField(required=False)  # type: ignore[assignment]  # DRF's own attribute of this name is no field


def reason_field() -> serializers.CharField:
    return serializers.CharField(max_length=REASON_MAX, help_text="Goes on record.")


class RetractSerializer(serializers.Serializer[Any]):
    retract = EventNameSerializer()
    reason = reason_field()


class ReplaceSerializer(serializers.Serializer[Any]):
    replace = EventNameSerializer()
    event = NewEventSerializer()
    reason = reason_field()

    def build_event(self) -> UsageEvent:
        """What was sent and is valid."""
        sent = self.validated_data["event"]
        names = (sent["source"], sent["id"], sent["type"], sent["subject"])
        return UsageEvent(*names, time=sent.get("time"), data=sent.get("data", {}))


class FilterSerializer(serializers.Serializer[Any]):
    """Events that happened within [start, end) and are all of what is named."""

    start = TimeField()
    end = TimeField()
    account = text_field("subject", required=False, help_text="By its key or an alias: whatever name was sent.")
    subject = text_field("subject", required=False, help_text="The very name that was sent.")
    type = text_field("type", required=False)
    source = text_field("source", required=False)  # type: ignore[assignment]  # DRF's own attribute of this name is no field
    key = serializers.CharField(
        max_length=12, required=False, help_text="The API key that sent them, by the 12 characters after `palier_`."
    )


class RetractMatchingSerializer(serializers.Serializer[Any]):
    retract_matching = FilterSerializer()
    reason = reason_field()
    dry_run = serializers.BooleanField(default=True, help_text="Look at what it would do, and do nothing.")
    expected_count = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=MATCHED_MAX,
        help_text="What the dry run said; needed unless this is one.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs["dry_run"] and "expected_count" not in attrs:
            raise serializers.ValidationError(
                {"expected_count": serializers.ErrorDetail("Say how many the dry run found.", "required")}
            )
        return attrs


class SampleSerializer(EventNameSerializer):
    type = serializers.CharField()
    subject = serializers.CharField()
    time = TimeField(source="happened_at")
    received_at = TimeField()


class ChangeSerializer(serializers.Serializer[Any]):
    account = serializers.CharField(source="account_key")
    meter = serializers.CharField(source="meter_key")
    unit = serializers.CharField()
    start = TimeField(help_text="Of the window of its limit; where there is none, of the hours that were counted anew.")
    end = TimeField()
    before = QuantityField()
    after = QuantityField()
    is_closed = serializers.BooleanField(help_text="The period is final; the change is an adjustment of it.")


class ReplacementSerializer(EventNameSerializer):
    fate = serializers.CharField(help_text="`accepted`, `unmatched`, or `duplicate` when all of it was done before.")


class ResultSerializer(serializers.Serializer[Any]):
    event_count = serializers.IntegerField(min_value=0, help_text="Zero when all of it was done before.")
    dry_run = serializers.BooleanField()
    replacement = ReplacementSerializer(allow_null=True)
    sample = SampleSerializer(many=True, help_text="The first ten of the events.")
    changes = ChangeSerializer(many=True, help_text="At most a hundred, by account, meter and window.")
    has_more_changes = serializers.BooleanField(source="has_more")


class LedgerQuerySerializer(serializers.Serializer[Any]):
    account = text_field("subject", required=False, help_text="By its key or an alias.")
    source = text_field("source", required=False)  # type: ignore[assignment]  # DRF's own attribute of this name is no field
    id = text_field("id", required=False)
    before = serializers.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, help_text="The `next` of the page before."
    )
    limit = serializers.IntegerField(default=50, min_value=1, max_value=PAGE_MAX)


class CorrectionSerializer(serializers.Serializer[Any]):
    source = serializers.CharField(help_text="Of the event that counts no more.")  # type: ignore[assignment]  # DRF's own attribute of this name is no field
    id = serializers.CharField(source="event_id")
    account = serializers.CharField(source="account_key", allow_null=True)
    kind = serializers.ChoiceField(choices=["retract", "replace"])
    replacement_source = serializers.CharField(help_text="Empty where nothing counts instead.")
    replacement_id = serializers.CharField()
    reason = serializers.CharField()
    made_by = serializers.CharField()
    made_at = TimeField()


class LedgerSerializer(serializers.Serializer[Any]):
    corrections = CorrectionSerializer(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="Give it as `before` for the next page.")
