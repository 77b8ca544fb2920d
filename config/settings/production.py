"""The real thing: every secret comes from the environment, and nothing starts while one is missing."""

from config.logs import build_logging
from config.secrets import require_production
from config.settings.base import *  # noqa: F403
from config.settings.base import BASE_DIR, env, use_broker, use_cache, use_database

require_production(env.ENVIRON)

SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = [host.strip() for host in env.list("ALLOWED_HOSTS") if host.strip()]
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

DATABASES = use_database(env.str("DATABASE_URL"))
REDIS_URL = env.str("REDIS_URL")
CACHES = use_cache(REDIS_URL)
CELERY_BROKER_URL = use_broker(REDIS_URL)
STATIC_ROOT = env.str("STATIC_ROOT", "") or BASE_DIR / "var" / "static"

# HTTPS only. A proxy's word about scheme and caller is taken only when the operator says how many stand before us.
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 365 * 24 * 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", False)
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 0)
if ALLAUTH_TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

vars().update(env.email_url("EMAIL_URL", default="smtp://localhost:25"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "palier@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

LOGGING = build_logging(as_json=True, level=env.str("LOG_LEVEL", "INFO"))
