"""Who asks: an API key in `Authorization: Bearer …`. No session, no cookie."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from metering.keys import InvalidKey, KeyRef, MissingScope, authenticate

REALM = 'Bearer realm="palier"'


class KeyAuthentication(BaseAuthentication):
    """Sets `request.auth` to the KeyRef of a key that has the scope which the view names for the method.

    A key is nobody's user: `request.user` stays anonymous.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, KeyRef]:
        """One query. 401 without a good key, 403 without the scope."""
        view: Any = request.parser_context["view"]
        try:
            key = authenticate(
                request.headers.get("Authorization"), scope=view.scope_of(str(request.method)), at=view.at
            )
        except InvalidKey as error:
            raise AuthenticationFailed(str(error), "invalid_key") from None
        except MissingScope as error:
            raise PermissionDenied(str(error), "missing_scope") from None
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return REALM
