"""The body of a request: read, and inflated, only as far as it may be long."""

import zlib
from http import HTTPStatus
from typing import BinaryIO, cast

from django.conf import settings
from django.http import HttpRequest, UnreadablePostError

from metering.problems import Problem

CHUNK = 64 * 1024
DRAIN_MAX_BYTES = 32 * 1024 * 1024
GZIP = {"gzip", "x-gzip"}
GZIP_MEMBERS_MAX = 100  # each costs memory of its own, however little is in it
GZIP_WINDOW = 16 + zlib.MAX_WBITS  # zlib's way to ask for gzip's header and check sum


def read_body(request: HttpRequest) -> bytes:
    """The whole body, inflated. Raises Problem: 400 broken, 413 too long either way, 415 another encoding."""
    maximum: int = settings.EVENT_BODY_MAX_BYTES
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in {"", "identity"} | GZIP:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            "Send the body as it is, or compressed by gzip.",
            Accept_Encoding="gzip",
        )
    body = read_raw(request, maximum)
    return inflate(body, maximum) if encoding in GZIP else body


def read_raw(request: HttpRequest, maximum: int) -> bytes:
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        return read_chunked(cast(BinaryIO, request.META["wsgi.input"]), maximum)
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > maximum:
        drop_body(request, length)
        raise too_large(maximum)
    try:
        body = request.body
    except UnreadablePostError:
        body = b""
    if len(body) != length:
        raise Problem(HTTPStatus.BAD_REQUEST, "body_cut_short", "The body is shorter than its Content-Length.")
    return body


def drop_body(request: HttpRequest, length: int) -> None:
    """Let a sender who sends all before it listens hear the refusal; but not one who would send for ever."""
    if length > DRAIN_MAX_BYTES:
        return
    try:
        while request.read(CHUNK):
            pass
    except OSError:
        pass  # gone already


def read_chunked(stream: BinaryIO, maximum: int) -> bytes:
    """A body that does not say how long it is. The server has undone the chunks; Django would read nothing."""
    body = bytearray()
    try:
        while piece := stream.read(CHUNK):
            body += piece
            if len(body) > maximum:
                raise too_large(maximum)
    except Problem:
        raise
    except Exception:  # each server has errors of its own for a broken chunk, and all are the sender's
        raise Problem(HTTPStatus.BAD_REQUEST, "body_cut_short", "The chunks of the body are broken.") from None
    return bytes(body)


def inflate(body: bytes, maximum: int) -> bytes:
    """Undo gzip, and stop at the first byte beyond the maximum, whatever was promised to follow. Raises Problem."""
    inflated = bytearray()
    rest = body
    for _ in range(GZIP_MEMBERS_MAX):
        rest = inflate_member(rest, inflated, maximum)
        if not rest:
            return bytes(inflated)
    raise broken_gzip(f"has more than {GZIP_MEMBERS_MAX} members")


def inflate_member(packed: bytes, inflated: bytearray, maximum: int) -> bytes:
    """Add what one gzip member holds to `inflated`; returns what follows it. A bomb is cut at the maximum."""
    member = zlib.decompressobj(GZIP_WINDOW)
    try:
        inflated += member.decompress(packed, maximum + 1 - len(inflated))
    except zlib.error:
        raise broken_gzip("is not valid gzip") from None
    if len(inflated) > maximum:
        raise too_large(maximum)
    if not member.eof:
        raise broken_gzip("is cut short")
    return member.unused_data


def broken_gzip(what: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "broken_gzip", f"The body {what}.")


def too_large(maximum: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"A body may have at most {maximum:,} bytes, inflated."
    )
