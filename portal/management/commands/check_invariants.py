from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.invariants import find_violations


class Command(BaseCommand):
    help = "Check over the whole database that the promises hold; exits with status 1 and says what is broken if not."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = 0
        for violation in find_violations():
            broken += 1
            self.stdout.write(f"{violation.rule}: {violation.subject}: {violation.detail}")
        if broken:
            raise CommandError(f"{broken} broken promise{'s' if broken > 1 else ''}")
        self.stdout.write(self.style.SUCCESS("Every promise holds."))
