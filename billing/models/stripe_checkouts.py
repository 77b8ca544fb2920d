"""Cards that customers enter on Stripe's pages when they move from a free plan."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models.plans import PlanVersion
from billing.models.subscriptions import Subscription


class CheckoutState(models.TextChoices):
    OPEN = "open", _("waiting for the card")
    DONE = "done", _("plan changed")
    EXPIRED = "expired", pgettext_lazy("checkout", "expired")
    REFUSED = "refused", _("refused")


class StripeCheckout(models.Model):
    """One click on "upgrade": a page of Stripe's on which a card is entered, after which the plan changes.

    `token` is drawn with the form that is clicked, so that a second click is the same checkout. `reason` says why the
    plan was not changed although the card is there. `asked_at` is when Stripe itself was last asked.
    """

    token = models.UUIDField(_("token"), unique=True)
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="+", verbose_name=_("subscription"))
    version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="+", verbose_name=_("version"))
    state = models.CharField(_("state"), max_length=10, choices=CheckoutState.choices, default=CheckoutState.OPEN)
    stripe_id = models.CharField(_("session in Stripe"), max_length=255, unique=True, null=True, blank=True)
    url = models.URLField(_("page"), max_length=2_000, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by"), null=True, blank=True
    )
    made_at = models.DateTimeField(_("made"))
    asked_at = models.DateTimeField(_("Stripe asked"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        verbose_name = _("checkout")
        verbose_name_plural = _("checkouts")
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True) | ~Q(state="open") & Q(ended_at__isnull=False),
                name="stripe_checkout_has_an_end_exactly_when_ended",
            ),
            models.CheckConstraint(condition=Q(state__in=CheckoutState.values), name="stripe_checkout_state_is_known"),
            models.CheckConstraint(
                condition=Q(state="refused") & ~Q(reason="") | ~Q(state="refused") & Q(reason=""),
                name="stripe_checkout_says_why_it_was_refused",
            ),
            models.CheckConstraint(
                condition=Q(stripe_id__isnull=True) | Q(stripe_id__startswith="cs_"), name="stripe_checkout_id_is_one"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription} → {self.version}"
