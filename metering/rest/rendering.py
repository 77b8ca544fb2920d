"""JSON out: what was stored as JSON leaves as it was stored, every digit of it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer


class ExactJSONRenderer(BaseRenderer):
    """For answers that hold stored JSON. A Decimal is a number with its own digits."""

    media_type = "application/json"
    format = "json"
    charset = None  # JSON is UTF-8

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return encode(data)


@extend_schema_field({"type": "object", "additionalProperties": {}})
class StoredJSONField(serializers.Field[Any, Any, Any, Any]):
    """JSON text that goes out as the JSON it is. Needs the ExactJSONRenderer."""

    def to_representation(self, value: str) -> msgspec.Raw | None:
        return msgspec.Raw(value.encode()) if value else None


encode = msgspec.json.Encoder(decimal_format="number").encode
