"""Calls of which nobody knows what became of them, or that go on being refused."""

from datetime import datetime, timedelta

from django.db.models import Exists, Func, IntegerField, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast

from billing.models import (
    StripeCall,
    StripeCallState,
    StripeCustomer,
    StripeInvoice,
    StripeInvoiceState,
    StripeSubscription,
)
from billing.stripe.calls import KEY_LIFE
from billing.stripe.charging.asking import ADD, FINALISE, HOLD, UPDATE
from billing.stripe.mirroring import customers, subscriptions
from billing.stripe.reconciling.findings import Finding, Looked, Scope

KIND = "call"
PATIENCE = timedelta(hours=1)
OF_DRAFTS = (HOLD, ADD, UPDATE, FINALISE)  # by the id of Stripe's invoice, with which their keys begin


def look_at_calls(scope: Scope) -> Looked:
    """Accounts are not named by calls, so that a look at a single one has none of them."""
    if scope.account_id is not None:
        return Looked()
    looked = Looked()
    looked.check_all(scope.list_open(KIND), KIND)
    for call in select_stuck(scope.at).order_by("pk"):
        is_lost = call.first_sent_at < scope.at - KEY_LIFE
        cause = "Its outcome is not known" + (", and it will not be sent again." if is_lost else " yet.")
        key = f"{call.operation} {call.key}"[:200]
        looked.check(key, KIND)
        looked.findings.append(Finding(KIND, key, None, "sent", call.error_message or "no answer", cause))
    return looked


def select_stuck(at: datetime) -> QuerySet[StripeCall]:
    """Of unknown outcome for an hour. Of an invoice that is final by now nobody has to know who made it so, or what was
    to come onto its draft, and of a subscription or customer not how it was to be before: what they are is compared.
    """
    unknown = Q(state__in=[StripeCallState.SENT, StripeCallState.UNKNOWN], first_sent_at__lt=at - PATIENCE)
    final = StripeInvoice.objects.exclude(state=StripeInvoiceState.DRAFT).filter(stripe_id=read_word(1))
    later = StripeSubscription.objects.filter(pk=read_number(3), told_revision__gte=read_number(4))
    newer = StripeCustomer.objects.filter(pk=read_number(1), number=read_number(2), told_revision__gte=read_number(3))
    return (
        StripeCall.objects.filter(unknown)
        .exclude(Q(operation__in=OF_DRAFTS) & Exists(final))
        .exclude(Q(operation=subscriptions.UPDATE) & Exists(later))
        .exclude(Q(operation=customers.UPDATE) & Exists(newer))
    )


def read_word(place: int) -> Func:
    """That word of the key of the call that is looked at."""
    return Func(OuterRef("key"), Value(" "), Value(place), function="split_part")


def read_number(place: int) -> Combinable:
    return Cast(read_word(place), IntegerField())
