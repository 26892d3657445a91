"""An example: flags in a Django project that is served by ASGI, in one file.

    export WIGWAG_URL=http://127.0.0.1:8420 WIGWAG_KEY=ww_server_…
    uvicorn --factory examples.django_app:build_app --port 8080
    curl -H 'X-User: ann' http://127.0.0.1:8080/

In a project of your own, the last function is what `asgi.py` does. Django leaves an ASGI server's lifespan events
unanswered, so `ClientLifespan` answers them, and starts and stops the client then.
"""

from collections.abc import Mapping
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import path

from wigwag import FlagClient
from wigwag.integrations.asgi import ClientLifespan, FlagsMiddleware, Scope, flags_of


def visitor(scope: Scope) -> Mapping[str, Any]:
    """Say who asks. The session is Django's, and comes later; here headers tell."""
    headers = dict(scope["headers"])
    return {"userId": headers.get(b"x-user", b"").decode() or None, "plan": headers.get(b"x-plan", b"free").decode()}


async def front_page(request: HttpRequest) -> JsonResponse:
    """Decide what this visitor gets."""
    return JsonResponse({"new_checkout": flags_of(request).is_enabled("new_checkout")})


def beta(request: HttpRequest) -> JsonResponse:
    """Be there only for whom the flag is on. Django runs a view that is not async in a thread, which is all right."""
    if not flags_of(request).is_enabled("beta"):
        raise Http404
    return JsonResponse({"welcome": request.headers.get("X-User")})


urlpatterns = [path("", front_page), path("beta", beta)]


def build_app() -> ClientLifespan:
    """Put the app together. WIGWAG_URL and WIGWAG_KEY say where the flags are."""
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"], SECRET_KEY="only an example")
    django.setup()
    client = FlagClient()
    return ClientLifespan(FlagsMiddleware(get_asgi_application(), client, context=visitor), client)
