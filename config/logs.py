"""What a log line looks like: one JSON object in production, a readable line elsewhere, and never a secret."""

import logging.config
import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "[hidden]"
SECRET_NAMES = re.compile(r"authorization|cookie|password|passwd|secret|token|api_?key|csrf|signature", re.IGNORECASE)
SECRET_WORDS = re.compile(
    r"(?i)\b(bearer|basic)\s+[\w~+/=.:-]+|\b[sr]k_(?:live|test)_\w+|\bwhsec_\w+|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank values whose name or shape says that they are secret, at any depth."""
    return {name: hide_value(name, value) for name, value in event.items()}


def hide_value(name: object, value: object) -> object:
    if isinstance(name, str) and SECRET_NAMES.search(name) and value:
        return HIDDEN
    if isinstance(value, str):
        return SECRET_WORDS.sub(HIDDEN, value)
    if isinstance(value, dict):
        return {key: hide_value(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_value(None, item) for item in value]
    return value


SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def build_logging(*, as_json: bool, level: str) -> dict[str, Any]:
    """Django's LOGGING: everything to standard error, whoever wrote it, through the same processors."""
    rendering: list[Processor] = (
        [structlog.processors.format_exc_info, hide_secrets, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.processors.format_exc_info, hide_secrets, structlog.dev.ConsoleRenderer(colors=False)]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
                "foreign_pre_chain": SHARED,
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "nowhere": {"class": "logging.NullHandler"},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # What a request ended with is written once, by RequestLogMiddleware.
            "django.request": {"handlers": ["nowhere"], "propagate": False},
            "django.server": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            # Each call is a row of ours; the client would tell two lines of it, and at DEBUG what was sent.
            "stripe": {"level": "WARNING"},
        },
    }


def configure_logging(logging_config: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: the standard library's logging and structlog's, together."""
    logging.config.dictConfig(logging_config)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
