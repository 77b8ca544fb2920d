"""Settings that every environment shares. `development`, `production` and `test` build on them."""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import environ
from csp.constants import NONE, SELF
from kombu import Exchange, Queue

from config.logs import build_logging
from config.secrets import STRIPE_API, STRIPE_METERS, read_stripe_secrets, refuse_unsafe_stripe

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parents[2]
VAR_DIR = Path(env.str("PALIER_VAR_DIR", "") or BASE_DIR / "var")

DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

INSTALLED_APPS = [
    "config.apps.PalierAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "django_celery_beat",
    "django_structlog",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "portal",
    "crm",
    "billing",
    "metering",
    "jobs",
]

MIDDLEWARE = [
    "csp.middleware.CSPMiddleware",  # first, so that redirects, static files and errors carry the policy too
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.request_log.RequestLogMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.direct.DirectApiMiddleware",  # what follows is for pages
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# People
AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_ADAPTER = "portal.accounts.InvitedOnlyAdapter"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # no mail to people we do not know

# Time and language: UTC inside, a local calendar only in billing periods and templates.
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "locale"]

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Security headers on every response
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "config.errors.refuse_csrf"
DATA_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024  # the ingestion view refuses earlier, at its own limit

# Logs: one line for a person here, one JSON object in production
LOGGING_CONFIG = "config.logs.configure_logging"
LOGGING = build_logging(as_json=False, level=env.str("LOG_LEVEL", "INFO"))
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # one line a request: how it ended
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO

# Stripe: both secrets or none
STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRETS = read_stripe_secrets(env.ENVIRON)
STRIPE_ACCOUNT = env.str("STRIPE_ACCOUNT", "")  # our own acct_…: events of an organisation name it, others are not ours
STRIPE_WEBHOOK_BODY_MAX_BYTES = 2 * 1024 * 1024
STRIPE_WEBHOOK_TOLERANCE = timedelta(minutes=5)  # how far a signature's time may be from ours, either way
STRIPE_READS_MAX = env.int("STRIPE_READS_MAX", 10_000)  # GETs in 30 days: Stripe allows 500 per charge, never fewer
STRIPE_RECONCILE_DAYS = 40  # how far back reconciliation looks by itself
STRIPE_SUMMARIES_A_LOOK = 50  # meters of customers that a reconciliation has Stripe sum up, one read each
STRIPE_CATCH_UP_OVERLAP = timedelta(minutes=30)  # events are listed a little late, and not in order
STRIPE_API_BASE = (env.str("STRIPE_API_BASE", "") or STRIPE_API).rstrip("/")
STRIPE_METER_EVENTS_BASE = (env.str("STRIPE_METER_EVENTS_BASE", "") or STRIPE_METERS).rstrip("/")
STRIPE_PAGE_ORIGINS: list[str] = env.list("STRIPE_PAGE_ORIGINS", default=[])  # own domains of Stripe's pages: https://…
STRIPE_METER_EVENT_API = env.str("STRIPE_METER_EVENT_API", "v1")  # v1, v2 or stream, which is live only
STRIPE_METER_EVENT_RATE = env.int("STRIPE_METER_EVENT_RATE", 0)  # calls, or events of the stream, a second; 0: Stripe's
STRIPE_METER_EVENT_WORKERS = env.int("STRIPE_METER_EVENT_WORKERS", 2)  # jobs that send at once
STRIPE_TIMEOUT = env.int("STRIPE_TIMEOUT", 20)  # seconds for one answer; each call is tried three times
refuse_unsafe_stripe(
    STRIPE_SECRET_KEY, api_base=STRIPE_API_BASE, meter_events_base=STRIPE_METER_EVENTS_BASE, is_debug=DEBUG
)

# What is told to people and to the vendor's systems
# Where people reach us, https://…; without it mails hold no links. `make demo` says PALIER_URL.
PUBLIC_URL = (env.str("PUBLIC_URL", "") or env.str("PALIER_URL", "")).rstrip("/")
WEBHOOK_PRIVATE_NETWORKS: list[str] = env.list(
    "WEBHOOK_PRIVATE_NETWORKS", default=[]
)  # that webhooks may go to, in CIDR

# Background work
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# Every worker asks these in turn, unless -Q says otherwise.
CELERY_TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in ("celery", "urgent")]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Who sends a message waits 5 s at most for a silent broker and does not try again: jobs are swept, beat comes round.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 5, "max_retries": 0}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"

# What beat starts, and how often in seconds; written to the database once, editable there (admin: Periodic tasks).
PERIODIC_TASKS: dict[str, tuple[str, int]] = {
    "jobs: send again what was lost": ("jobs.tasks.sweep_jobs", 10),
    "metering: check totals that moved": ("metering.tasks.check_limits", 60),
    "metering: grade what was said of windows that ended": ("metering.tasks.grade_windows", 300),
    "metering: forecast totals that moved": ("metering.tasks.forecast_limits", 300),
    "metering: learn from past forecasts": ("metering.tasks.calibrate_forecasts", 86_400),
    "metering: give back what was reserved too long": ("metering.tasks.expire_reservations", 60),
    "metering: forget how fast those asked who stopped": ("metering.tasks.forget_idle_buckets", 3_600),
    "metering: drop old refusals and figures": ("metering.tasks.prune_records", 86_400),
    "metering: make room for next month's events": ("metering.tasks.open_months", 86_400),
    "metering: drop events that are old enough": ("metering.tasks.prune_events", 86_400),
    "billing: close periods that ended": ("billing.tasks.enqueue_due_periods", 300),
    "billing: remind of what is not paid": ("billing.tasks.remind_of_unpaid", 3600),
    "billing: let credit recur and expire": ("billing.tasks.settle_credits", 300),
    "billing: bill ahead what passed a threshold": ("billing.tasks.bill_usage_ahead", 300),
    "billing: tell what was spent and what credit is left": ("billing.tasks.look_at_money", 60),
    "billing: settle late usage": ("billing.tasks.settle_late_usage", 300),
    "stripe: tell of customers and subscriptions that moved": ("billing.tasks.mirror_to_stripe", 60),
    "stripe: tell its meters what was used": ("billing.tasks.tell_usage_to_stripe", 60),
    "stripe: charge what was issued": ("billing.tasks.charge_through_stripe", 60),
    "stripe: tell what is on offer": ("billing.tasks.sync_stripe_catalogue", 300),
    "stripe: forget what was answered long ago": ("billing.tasks.forget_answers_of_stripe", 86_400),
    "stripe: ask for events that were not told": ("billing.tasks.catch_up_with_stripe", 3_600),
    "stripe: compare with what Stripe says": ("billing.tasks.reconcile_with_stripe", 86_400),
    "billing: look for unusual usage": ("billing.tasks.find_anomalies", 300),
    "crm: turn alerts into leads": ("crm.tasks.open_leads", 60),
}

# Metering
EVENT_MAX_AGE_DAYS = 35
EVENT_MAX_FUTURE_MINUTES = 15
EVENT_RETENTION_MONTHS = 0  # raw events are dropped so many months after the end of theirs; 0 keeps them for ever
EVENT_BATCH_MAX = 1_000
EVENT_BODY_MAX_BYTES = 5 * 1024 * 1024
EVENT_GROUP_COMMIT = env.bool("EVENT_GROUP_COMMIT", True)  # what a process gets at the same time shares a commit
EVENT_FIGURES_SECONDS = 5.0  # how long figures are gathered in a process before they are written; 0: until asked
EVENT_FIGURES_DAYS = 400
EVENT_REJECTED_DAYS = env.int("EVENT_REJECTED_DAYS", 30)  # how long refused rows are kept
FORECAST_HOURLY_DAYS = env.int("FORECAST_HOURLY_DAYS", 90)  # after grading; then one a day of each limit is kept
EVENT_REJECTED_HOURLY_MAX = env.int("EVENT_REJECTED_HOURLY_MAX", 10_000)  # rows that one key may leave in an hour
EVENT_REJECTED_BODY_BYTES = 16 * 1024
ALERT_GRADING_DAYS = 7  # after its end a window is graded that nobody closed

# The API: an API key in every request, JSON and nothing else, problem documents for what goes wrong
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["metering.rest.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["metering.rest.permissions.IsKeyed"],
    "DEFAULT_PARSER_CLASSES": ["metering.rest.parsing.ExactJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS tells nobody anything
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "metering.rest.errors.answer_error",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Palier",
    "VERSION": "1",
    "DESCRIPTION": "Send usage and learn the fate of every event; read usage and limits; reserve before you spend.",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v[0-9]+/",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATION_PARAMETERS": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "metering.rest.answers.describe_refusals",
        "metering.rest.events_schema.describe_events",
    ],
}
EVENT_RATE_PER_SECOND = env.int("EVENT_RATE_PER_SECOND", 0)  # of a key without a rate of its own; 0: as it likes
EVENT_BURST_SECONDS = 10  # so many seconds of its rate may come at once, after a rest
KEY_FAILURES_PER_SECOND, KEY_FAILURES_BURST = 5, 200  # requests without a good key, from one address

# Billing: documents name the seller, each keeps the one that it was issued with
DEMO_SELLER = {
    "name": "Example Vendor",
    "address": "1 Example Street\nExample Town",
    "email": "billing@vendor.example",
    "payment": "By bank transfer, with the number of the invoice.",
}
BILLING_CLOSE_DELAY = timedelta(hours=1)  # from the end of a period to its invoice, for events in flight
BILLING_RUN_NEEDS_APPROVAL = env.bool("BILLING_RUN_NEEDS_APPROVAL", False)  # a person looks before invoices are issued
BILLING_REMINDERS = [timedelta(days=17), timedelta(days=31), timedelta(days=45)]  # of what is not paid, from its issue
BILLING_PAYMENT_DAYS = env.int("BILLING_PAYMENT_DAYS", 14)  # from an invoice's issue until it is to be paid
BILLING_SELLER: dict[str, str] = env.json("BILLING_SELLER", DEMO_SELLER)  # name, address, tax_number, email, payment
BILLING_FONT_DIRS: list[str] = env.list("BILLING_FONT_DIRS", default=[])  # more fonts for documents: Chinese, say
BILLING_PAPER_ROWS = 2_000  # lines and sentences that a document may have to be made as PDF in a request
BILLING_PAPERS_PER_MINUTE = 30  # PDFs that one person may have made
BILLING_OPEN_AHEAD = timedelta(days=1)  # the next period and its limits are there this long before it begins
# What is done about late usage where a plan version does not say: settle, credit or waive; a smaller charge, in whole
# units of whatever currency, is let go. What trickles in is gathered for so long before it is settled.
BILLING_LATE_POLICY = {"late_usage": "settle", "waive_under": "0"}
BILLING_LATE_DELAY = timedelta(days=1)

# Sales
LEAD_COOLDOWN_DAYS = env.int("LEAD_COOLDOWN_DAYS", 30)  # after a loss only what is worse opens a lead


# Statements are prepared where the code asks for it (`metering.statements`); without a threshold none ever is.
NEVER_BY_ITSELF = 2**31


def use_database(url: str) -> dict[str, Any]:
    """Django's DATABASES for one PostgreSQL URL, with the driver's pool (so CONN_MAX_AGE stays 0).

    A connection is looked at before it is handed out, so that a restart of the server costs no request.
    """
    database = env.db_url_config(url)
    database["HOST"] = unquote(database["HOST"])  # a socket's folder stands in the URL percent-encoded
    database |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True, "ATOMIC_REQUESTS": False}
    options = database.setdefault("OPTIONS", {})
    options["pool"] = {"min_size": 0, "max_size": 16, "timeout": 10}
    options["prepare_threshold"] = NEVER_BY_ITSELF
    return {"default": database}


def use_cache(url: str) -> dict[str, Any]:
    """Django's CACHES for one Redis URL (`redis://…`, `rediss://…` or `unix:///socket`)."""
    return {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}}


def use_broker(url: str) -> str:
    """The same Redis URL as Celery spells it."""
    return url.replace("unix://", "redis+socket://", 1)
