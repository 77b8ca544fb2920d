"""Production settings, imported in a process of their own as a server would."""

import os
import subprocess
import sys

from config.stack import BASE_DIR

WHOLE = {
    "SECRET_KEY": "k" * 50,
    "DATABASE_URL": "postgres://palier:pw-in-url@db.example:5432/palier",
    "REDIS_URL": "redis://cache.example:6379/0",
    "ALLOWED_HOSTS": "palier.example, www.palier.example",
}
SHOW = """
import sys
from django.conf import settings
for name in sys.argv[1:]:
    print(getattr(settings, name, None))
"""


def load(environ: dict[str, str], *names: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    kept |= {"DJANGO_SETTINGS_MODULE": "config.settings.production"}
    command = [sys.executable, "-c", SHOW, *(names or ("DEBUG",))]
    return subprocess.run(command, cwd=BASE_DIR, env=kept | environ, capture_output=True, text=True, check=False)


def test_without_its_secrets_nothing_starts_and_each_is_named():
    result = load({"DATABASE_URL": "mysql://a:pw-in-url@b/c"})
    assert result.returncode != 0
    assert "DATABASE_URL does not start with postgres://" in result.stderr
    assert "pw-in-url" not in result.stderr
    assert [name for name in WHOLE if f"  {name} is missing" in result.stderr] == [
        "SECRET_KEY",
        "REDIS_URL",
        "ALLOWED_HOSTS",
    ]


def test_with_its_secrets_it_is_https_only_and_trusts_no_proxy():
    names = ["SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"]
    result = load(WHOLE, *names, "SECURE_PROXY_SSL_HEADER", "ALLAUTH_TRUSTED_PROXY_COUNT", "DEBUG", "ALLOWED_HOSTS")
    assert result.stdout.split("\n") == [
        *["True", "31536000", "True", "True", "None", "0", "False", "['palier.example', 'www.palier.example']", ""]
    ], result.stderr


def test_a_proxy_is_believed_when_told():
    result = load(WHOLE | {"TRUSTED_PROXY_COUNT": "1"}, "SECURE_PROXY_SSL_HEADER", "ALLAUTH_TRUSTED_PROXY_COUNT")
    assert result.stdout == "('HTTP_X_FORWARDED_PROTO', 'https')\n1\n", result.stderr


def test_the_deployment_checks_of_django_find_nothing():
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    environ = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings.production", **WHOLE}
    environ |= {"BILLING_SELLER": '{"name": "Ada & Co"}'}
    environ |= {"SECURE_HSTS_INCLUDE_SUBDOMAINS": "true", "SECURE_HSTS_PRELOAD": "true", "SECRET_KEY": "Ab3-x!" * 10}
    result = subprocess.run(command, cwd=BASE_DIR, env=environ, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
