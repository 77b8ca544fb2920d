from typing import Any

from django.core.management.base import BaseCommand

from portal.demo.people import renew_passwords, show_logins


class Command(BaseCommand):
    help = "Give the demo's people new passwords and print them. Only people at demo.example are touched."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(show_logins(renew_passwords()))
