"""What the description of the API says of every refusal."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

PROBLEM = "application/problem+json"

EXAMPLES: dict[int, tuple[str, str]] = {
    400: ("malformed", "The body is no JSON: Expecting value: line 1 column 1 (char 0)"),
    401: ("invalid_key", "This API key is not valid."),
    403: ("missing_scope", "This API key lacks the scope limits:read."),
    404: ("unknown_account", "This key sees no account of that name."),
    406: ("not_acceptable", "Could not satisfy the request Accept header."),
    409: ("conflict", "What is stored says otherwise."),
    413: ("body_too_large", "A body may have at most 5,242,880 bytes, inflated."),
    415: ("unsupported_media", 'Unsupported media type "text/plain" in request.'),
    429: ("rate_exceeded", "This API key sends faster than it may. Wait for 2 s."),
    503: ("database_unavailable", "The database is not available. Send the same again in a while."),
}
ALWAYS = (401, 403, 406, 429, 503)
WITH_BODY = (400, 413, 415)


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457). `code` is for machines and never changes, `detail` is for people.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Always `about:blank`."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "What is wrong with the request, field by field.",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string", "description": "A path, as `events.3.id`; empty for the whole."},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
BEARER: dict[str, Any] = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, `palier_…`. It is shown once, when it is issued; each has its own scopes.",
}


def refusals(*statuses: int, has_body: bool = False) -> dict[tuple[int, str], OpenApiResponse]:
    """For `extend_schema(responses=…)`: these statuses and those that every view has (401, 403, 406, 429, 503).

    A view that reads a body has 400, 413 and 415 as well.
    """
    wanted = {*statuses, *ALWAYS, *(WITH_BODY if has_body else ())}
    return {(status, PROBLEM): describe_refusal(status) for status in sorted(wanted)}


def describe_refusal(status: int) -> OpenApiResponse:
    code, detail = EXAMPLES[status]
    title = HTTPStatus(status).phrase
    value = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    example = OpenApiExample(code, value=value, media_type=PROBLEM, response_only=True, status_codes=[str(status)])
    return OpenApiResponse({"$ref": "#/components/schemas/Problem"}, description=title, examples=[example])


def describe_refusals(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """drf-spectacular's postprocessing hook: what all paths refer to."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    components.setdefault("securitySchemes", {})["bearer"] = BEARER
    return result
