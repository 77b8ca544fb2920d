from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from portal.demo.catalogue import seed_catalogue
from portal.demo.people import seed_customer, seed_staff


class Command(BaseCommand):
    help = "Put the demo's meters, plans and people in place. A second run changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        plans = seed_catalogue(at=timezone.now())
        seed_staff()
        seed_customer()
        self.stdout.write(f"Plans: {', '.join(plan.slug for plan in plans)}.")
        self.stdout.write("People are there too; `manage.py demo_logins` gives them new passwords and prints them.")
