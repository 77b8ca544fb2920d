#!/usr/bin/env python
import contextlib
import os
import signal
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
    if "runserver" not in sys.argv:
        os.environ.setdefault("LOG_LEVEL", "WARNING")  # a person reads the command's own words
    from django.core.management import execute_from_command_line

    with borrow_servers():
        execute_from_command_line(sys.argv)


def borrow_servers() -> contextlib.AbstractContextManager[None]:
    """In development a command that needs the servers gets them, also when no stack runs."""
    if os.environ["DJANGO_SETTINGS_MODULE"] != "config.settings.development":
        return contextlib.nullcontext()
    from django.conf import settings

    from config.lending import lend_servers, needs_servers

    if not needs_servers(sys.argv):
        return contextlib.nullcontext()
    # A plain kill ends the block too, and with it the servers.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    return lend_servers(settings.VAR_DIR)


if __name__ == "__main__":
    main()
