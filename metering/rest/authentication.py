"""Who asks: an API key in `Authorization: Bearer …`. No session, no cookie."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from metering.api.refusals import refuse_key
from metering.keys import InvalidKey, KeyRef, MissingScope, authenticate

REALM = 'Bearer realm="palier"'


class KeyAuthentication(BaseAuthentication):
    """Sets `request.auth` to the KeyRef of a key that has the scope which the view names for the method.

    A key is nobody's user: `request.user` stays anonymous.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, KeyRef]:
        """One query with a good key. 401 without one, 403 without the scope, 429 for too many failures."""
        view: Any = request.parser_context["view"]
        try:
            key = authenticate(
                request.headers.get("Authorization"), scope=view.scope_of(str(request.method)), at=view.at
            )
        except (InvalidKey, MissingScope) as refusal:
            raise refuse_key(request, refusal, at=view.at) from None
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return REALM
