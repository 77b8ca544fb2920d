"""The suite's own settings: cheap passwords, a database and a broker in a folder that the suite throws away."""

import atexit
import tempfile
from contextlib import suppress
from pathlib import Path

from config.embedded import database_url, redis_url
from config.settings.base import *  # noqa: F403
from config.settings.base import env, use_broker, use_cache, use_database

TEST_DIR = Path(env.str("PALIER_TEST_DIR", "") or tempfile.mkdtemp(prefix="palier-test-"))


@atexit.register
def remove_unused() -> None:
    """A process that only read the settings leaves nothing behind; the suite removes what it filled itself."""
    with suppress(OSError):
        TEST_DIR.rmdir()


SECRET_KEY = "test-only"  # noqa: S105
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
DATABASE_URL = env.str("DATABASE_URL", database_url(TEST_DIR))
DATABASES = use_database(DATABASE_URL)
REDIS_URL = env.str("REDIS_URL", redis_url(TEST_DIR))
CACHES = use_cache(REDIS_URL)
CELERY_BROKER_URL = use_broker(REDIS_URL)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STATIC_ROOT = TEST_DIR  # nothing is collected for tests
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True  # serves from the source folders: nothing has been collected

EVENT_FIGURES_SECONDS = env.float("PALIER_TEST_FIGURES_SECONDS", 0)  # no thread writes beside a test that asks for none
