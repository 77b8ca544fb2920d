"""One machine, nothing installed but Python: PostgreSQL and Valkey come from wheels unless a URL names others."""

from config.embedded import database_url, redis_url
from config.secrets import read_or_make_key
from config.settings.base import *  # noqa: F403
from config.settings.base import VAR_DIR, env, use_broker, use_cache, use_database

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "") or read_or_make_key(VAR_DIR / "secret_key")
DATABASES = use_database(env.str("DATABASE_URL", "") or database_url(VAR_DIR))
REDIS_URL = env.str("REDIS_URL", "") or redis_url(VAR_DIR)
CACHES = use_cache(REDIS_URL)
CELERY_BROKER_URL = use_broker(REDIS_URL)
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = VAR_DIR / "mail"
