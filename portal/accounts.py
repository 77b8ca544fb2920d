from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class InvitedOnlyAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Nobody signs up alone yet: people are added by staff, and log in by e-mail."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
