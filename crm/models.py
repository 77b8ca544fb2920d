from django.conf import settings
from django.db import models
from django.db.models import Q


class RepProfile(models.Model):
    """A salesperson: who may be given leads, and whether they are here today."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="rep_profile")
    is_present = models.BooleanField(default=True)

    def __str__(self) -> str:
        return str(self.user)


class Stage(models.TextChoices):
    NEW = "new"
    CONTACTED = "contacted"
    QUALIFIED = "qualified"
    PROPOSAL = "proposal"
    WON = "won"
    LOST = "lost"


CLOSED_STAGES = (Stage.WON, Stage.LOST)


class Lead(models.Model):
    """An account worth a call. One open lead per account, by constraint; later signals join it."""

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+")
    stage = models.CharField(max_length=12, choices=Stage.choices, default=Stage.NEW)
    rep = models.ForeignKey(RepProfile, models.PROTECT, null=True, blank=True, related_name="leads")
    severity = models.DecimalField(max_digits=7, decimal_places=2, help_text="The highest level reached, in percent.")
    lost_reason = models.CharField(max_length=200, blank=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=~Q(stage__in=["won", "lost"]), name="lead_one_open_per_account"
            ),
            models.CheckConstraint(
                condition=Q(stage__in=["won", "lost"], closed_at__isnull=False)
                | (~Q(stage__in=["won", "lost"]) & Q(closed_at__isnull=True)),
                name="lead_has_an_end_exactly_when_closed",
            ),
            models.CheckConstraint(
                condition=~Q(stage="lost") | ~Q(lost_reason=""), name="lead_is_lost_for_a_reason"
            ),
        ]
        indexes = [models.Index(fields=["rep", "stage"], name="lead_by_rep_and_stage")]

    def __str__(self) -> str:
        return f"lead {self.pk}"


class Signal(models.Model):
    """Why we call: one claimed alert with its evidence frozen as it was then. Append-only by trigger."""

    lead = models.ForeignKey(Lead, models.PROTECT, related_name="signals")
    alert = models.OneToOneField("metering.Alert", models.PROTECT, related_name="+")
    evidence = models.JSONField(help_text="Meter, level, usage, limit, series, plan and cost when the level was seen.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"signal {self.pk}"


class Transition(models.Model):
    """A lead changed its stage. Append-only by trigger."""

    lead = models.ForeignKey(Lead, models.PROTECT, related_name="transitions")
    from_stage = models.CharField(max_length=12, choices=Stage.choices, blank=True)
    to_stage = models.CharField(max_length=12, choices=Stage.choices)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    moved_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.from_stage} → {self.to_stage}"


class ActivityKind(models.TextChoices):
    NOTE = "note"
    ASSIGNMENT = "assignment"


class Activity(models.Model):
    """What somebody did or wrote about a lead. Append-only by trigger."""

    lead = models.ForeignKey(Lead, models.PROTECT, related_name="activities")
    kind = models.CharField(max_length=12, choices=ActivityKind.choices)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    text = models.TextField(max_length=5000)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "activities"

    def __str__(self) -> str:
        return self.text[:60]
