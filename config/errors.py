"""What a person or a program reads when a request fails: a plain page, or a problem document below /api/.

Nothing here may fail in its turn: no database, no session, no storage of static files, no portal template.
"""

import uuid
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string


def answer_bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer_error(request, HTTPStatus.BAD_REQUEST)


def answer_forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer_error(request, HTTPStatus.FORBIDDEN)


def answer_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer_error(request, HTTPStatus.NOT_FOUND)


def answer_server_error(request: HttpRequest) -> HttpResponse:
    return answer_error(request, HTTPStatus.INTERNAL_SERVER_ERROR)


def refuse_csrf(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW: the form is too old, or came from elsewhere."""
    return answer_error(request, HTTPStatus.FORBIDDEN, template="errors/csrf.html")


def answer_error(request: HttpRequest, status: HTTPStatus, *, template: str = "") -> HttpResponse:
    # A request that failed before it got its id (a wrong Host behind the HTTPS redirect) gets one here.
    request_id: str = getattr(request, "request_id", "") or str(uuid.uuid4())
    if request.path.startswith("/api/"):
        problem = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "code": status.name.lower(),
            "detail": f"{status.description}.",
            "request_id": request_id,
        }
        return JsonResponse(problem, status=status.value, content_type="application/problem+json")
    context = {"request_id": request_id, "static_url": f"/{str(settings.STATIC_URL).lstrip('/')}"}
    page = render_to_string(template or f"errors/{status.value}.html", context)
    return HttpResponse(page, status=status.value)
