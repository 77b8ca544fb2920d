"""The API's description (OpenAPI 3.1) and the page that shows it. Both are open to everybody: they hold no data."""

from functools import cache
from typing import Any

from django.views.generic import TemplateView
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.plumbing import normalize_result_object
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from metering.rest.answers import BEARER
from metering.rest.authentication import KeyAuthentication


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = KeyAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return BEARER


@cache
def build_schema() -> dict[str, Any]:
    """The whole description. It is the same for everybody, so it is made once."""
    generator: Any = SchemaGenerator
    normalize: Any = normalize_result_object  # both come without types
    schema: dict[str, Any] = normalize(generator().get_schema(request=None, public=True))
    return schema


class SchemaView(APIView):
    """JSON, or YAML for who asks for `application/vnd.oai.openapi`."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (OpenApiJsonRenderer, JSONRenderer, OpenApiYamlRenderer)
    http_method_names = ["get", "head"]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(build_schema())


class DocumentationPage(TemplateView):
    """Swagger UI from our own static files. Nothing in the page is inline, so the site's policy stands as it is."""

    template_name = "api/documentation.html"
