"""One machine, nothing installed but Python: PostgreSQL and Valkey come from wheels unless a URL names others."""

import os
from pathlib import Path

from config.embedded import database_url, redis_url
from config.local_stripe import tell_of_local_stripe
from config.secrets import read_or_make_key

tell_of_local_stripe(os.environ, Path(os.environ.get("PALIER_VAR_DIR") or Path(__file__).resolve().parents[2] / "var"))

from config.settings.base import *  # noqa: E402, F403
from config.settings.base import VAR_DIR, env, use_broker, use_cache, use_database  # noqa: E402

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "") or read_or_make_key(VAR_DIR / "secret_key")
DATABASES = use_database(env.str("DATABASE_URL", "") or database_url(VAR_DIR))
REDIS_URL = env.str("REDIS_URL", "") or redis_url(VAR_DIR)
CACHES = use_cache(REDIS_URL)
CELERY_BROKER_URL = use_broker(REDIS_URL)
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = VAR_DIR / "mail"
