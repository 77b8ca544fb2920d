from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.demo.facts import Fact, show_figure
from portal.demo.people import show_logins
from portal.demo.story import Story


class Command(BaseCommand):
    help = "Tell the main job on a real web log, with the figures of each step; needs a running worker."

    def handle(self, *args: Any, **options: Any) -> None:
        story = Story(at=timezone.now())
        failed = 0
        for fact in story.tell():
            failed += not fact.holds
            self.show(fact)
        if failed:
            raise CommandError(f"{failed} of the facts do not hold.")
        self.stdout.write(self.style.SUCCESS("Every fact holds."))
        self.stdout.write(f"\n{show_logins(story.logins)}")

    def show(self, fact: Fact) -> None:
        mark = self.style.SUCCESS("PASS") if fact.holds else self.style.ERROR("FAIL")
        self.stdout.write(f"{mark}  {fact.step:<18} {fact.what:<54} {show_figure(fact.found)}")
        if not fact.holds:
            self.stdout.write(f"      {'':<18} {'expected':<54} {show_figure(fact.expected)}")
        self.stdout.flush()
