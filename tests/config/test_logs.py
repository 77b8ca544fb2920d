import io
import json
import logging
import logging.config

import pytest
import structlog
from django.test import Client, RequestFactory

from config.logs import build_logging, hide_secrets
from config.request_log import RequestLogMiddleware


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ({"Authorization": "Bearer pk_1"}, {"Authorization": "[hidden]"}),
        ({"headers": {"Cookie": "sessionid=1", "Accept": "*/*"}}, {"headers": {"Cookie": "[hidden]", "Accept": "*/*"}}),
        ({"event": "sent Bearer pk_1.abc on"}, {"event": "sent [hidden] on"}),
        ({"event": "redis://:sesame@db/0 is down"}, {"event": "redis://[hidden]@db/0 is down"}),
        ({"event": "key sk_test_12 and whsec_34"}, {"event": "key [hidden] and [hidden]"}),
        ({"list": [{"password": "sesame"}]}, {"list": [{"password": "[hidden]"}]}),
        ({"event": "account acme", "count": 3}, {"event": "account acme", "count": 3}),
    ],
)
def test_secrets_are_hidden_by_name_and_by_shape(event: dict[str, object], shown: dict[str, object]):
    assert hide_secrets(None, "info", event) == shown


def write_as_production(name: str, write: str, **values: object) -> dict[str, object]:
    """One line as production would write it."""
    settings = build_logging(as_json=True, level="INFO")
    formatter = logging.config.DictConfigurator(settings).configure_formatter(settings["formatters"]["line"])  # type: ignore[attr-defined]
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter)
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        if values:
            structlog.stdlib.get_logger(name).warning(write, **values)
        else:
            logger.warning(write)
    finally:
        logger.removeHandler(handler)
    line: dict[str, object] = json.loads(output.getvalue())
    return line


def test_a_line_of_production_is_one_json_object_whoever_wrote_it():
    plain = write_as_production("some.library", "it is late")
    assert (plain["event"], plain["level"], plain["logger"]) == ("it is late", "warning", "some.library")
    bound = write_as_production("our.module", "it is late", account=7, api_key="pk_1")
    assert (bound["event"], bound["account"], bound["api_key"]) == ("it is late", 7, "[hidden]")


def test_a_request_is_logged_by_its_path_alone():
    requests = RequestFactory()
    assert RequestLogMiddleware.format_request(requests.get("/a/?token=sesame")) == "GET /a/"
    opened = RequestLogMiddleware.format_request(requests.get("/accounts/password/reset/key/1-abc-def/"))
    assert opened == "GET /accounts/password/reset/key/[hidden]/"


def test_a_request_writes_nothing_of_its_headers(client: Client, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        client.get("/healthz?a=sesame", headers={"Authorization": "Bearer sesame", "Cookie": "sessionid=sesame"})
    assert caplog.records
    assert "sesame" not in caplog.text
