"""An application that is metered, for gunicorn: one event for each request, of the account that its query names."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from palier_client import Client, WsgiMeter


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


client = Client(os.environ["METERED_URL"], os.environ["METERED_KEY"], source="metered", flush_interval=0.1)
client.track("request", "acme", id="loaded")
application = WsgiMeter(answer, client, type="request", subject=lambda environ: environ["QUERY_STRING"] or None)
