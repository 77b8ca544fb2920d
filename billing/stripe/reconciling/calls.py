"""Calls of which nobody knows what became of them, or that go on being refused."""

from datetime import timedelta

from django.db.models import Q

from billing.models import StripeCall, StripeCallState
from billing.stripe.calls import KEY_LIFE
from billing.stripe.reconciling.findings import Finding, Looked, Scope

KIND = "call"
PATIENCE = timedelta(hours=1)


def look_at_calls(scope: Scope) -> Looked:
    """Accounts are not named by calls, so that a look at a single one has none of them."""
    if scope.account_id is not None:
        return Looked()
    looked = Looked()
    looked.check_all(scope.list_open(KIND), KIND)
    stuck = Q(state__in=[StripeCallState.SENT, StripeCallState.UNKNOWN], first_sent_at__lt=scope.at - PATIENCE)
    for call in StripeCall.objects.filter(stuck).order_by("pk"):
        is_lost = call.first_sent_at < scope.at - KEY_LIFE
        cause = "Its outcome is not known" + (", and it will not be sent again." if is_lost else " yet.")
        key = f"{call.operation} {call.key}"[:200]
        looked.check(key, KIND)
        looked.findings.append(Finding(KIND, key, None, "sent", call.error_message or "no answer", cause))
    return looked
