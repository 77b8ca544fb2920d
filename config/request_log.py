"""One log line for each request, with an id that the response carries too."""

import re

import structlog
from django.http import HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware

from metering.callers import find_address

ONE_TIME_KEYS = re.compile(r"(/(?:reset/key|confirm-email)/)[^/]+")


class RequestLogMiddleware(RequestMiddleware):
    """Binds `request_id` to every line written meanwhile and answers with it in `X-Request-ID`."""

    def prepare(self, request: HttpRequest) -> None:
        super().prepare(request)
        request.request_id = structlog.contextvars.get_contextvars()["request_id"]  # type: ignore[attr-defined]

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        super().handle_response(request, response)

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """Method and path: a query string may hold anything, and the keys sent by e-mail open doors."""
        path = ONE_TIME_KEYS.sub(r"\1[hidden]", request.path)
        return f"{request.method} {path}"

    @staticmethod
    def bind_user_id(request: HttpRequest) -> None:
        """Name the user when the view asked who it is: a log line is no reason to query the database."""
        user = getattr(request, "_cached_user", None)
        if user is not None:
            structlog.contextvars.bind_contextvars(user_id=user.pk)

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        """The address of the caller; forwarded ones are believed only from as many proxies as settings name."""
        structlog.contextvars.bind_contextvars(ip=find_address(request))
