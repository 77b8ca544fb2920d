"""The ground of every view of the API."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, cast

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from metering.accounts import AccountRef
from metering.keys import KeyRef
from metering.rest.parsing import BoundedRequest
from metering.rest.permissions import find_visible_account


class KeyedView(APIView):
    """A view for whoever has an API key with the scope that `scopes` names for the method.

    `self.at` is the moment of the request, read once; `self.key` is who asks. Answers are kept by no cache.
    """

    scopes: ClassVar[Mapping[str, str]]
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    at: datetime

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        return BoundedRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.at = timezone.now()
        if str(request.method) not in self.allowed_methods:  # told to everybody, also to who has no key
            self.http_method_not_allowed(request)
        super().initial(request, *args, **kwargs)

    @classmethod
    def scope_of(cls, method: str) -> str:
        return cls.scopes["GET" if method == "HEAD" else method]

    @property
    def key(self) -> KeyRef:
        return cast(KeyRef, self.request.auth)

    def find_account(self, account_key: str) -> AccountRef:
        """By key or alias; 404 for one that this key may not see. One query."""
        return find_visible_account(self.key, account_key)

    def finalize_response(self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, cast(Response, response), *args, **kwargs)
        answer["Cache-Control"] = "no-store"
        return answer
