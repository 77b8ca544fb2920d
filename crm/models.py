from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class RepProfile(models.Model):
    """A salesperson: who may be given leads, and whether they are here today."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="rep_profile")
    is_present = models.BooleanField(default=True, help_text=_("Here today: may be given new leads."))
    last_given_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When the last lead was given. Who waited longest is next.")
    )

    class Meta:
        verbose_name = _("sales rep")
        verbose_name_plural = _("sales reps")

    def __str__(self) -> str:
        return str(self.user)


class Stage(models.TextChoices):
    NEW = "new", _("new")
    CONTACTED = "contacted", _("contacted")
    QUALIFIED = "qualified", _("qualified")
    PROPOSAL = "proposal", _("proposal")
    WON = "won", _("won")
    LOST = "lost", _("lost")


class Priority(models.IntegerChoices):
    """How soon a lead wants a call. A low one waits in the queue: no rep is given it, no clock runs."""

    LOW = 1, _("low")
    NORMAL = 2, _("normal")
    HIGH = 3, _("high")


class Severity(models.IntegerChoices):
    """How bad the worst of it was when it was told: an alert's severity, as a rank."""

    INFO = 1, _("information")
    WARNING = 2, _("warning")
    CRITICAL = 3, _("critical")


CLOSED_STAGES = (Stage.WON, Stage.LOST)
IS_OPEN = ~Q(stage__in=["won", "lost"])
WORST_FIRST = (F("priority").desc(), F("severity").desc(), F("level").desc(nulls_last=True), "opened_at", "pk")


class Lead(models.Model):
    """An account worth a call. One open lead per account, by constraint; later signals join it.

    A closed lead stays closed, by trigger: what comes after it opens a new one.
    """

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+", verbose_name=_("account"))
    stage = models.CharField(_("stage"), max_length=12, choices=Stage.choices, default=Stage.NEW)
    rep = models.ForeignKey(
        RepProfile, models.PROTECT, null=True, blank=True, related_name="leads", verbose_name=_("rep")
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.NORMAL, help_text=_("By what stands at the moment.")
    )
    severity = models.PositiveSmallIntegerField(
        _("severity"), choices=Severity.choices, help_text=_("That of the worst alert that joined.")
    )
    level = models.DecimalField(
        _("level"),
        max_digits=50,
        decimal_places=12,
        null=True,
        blank=True,
        help_text=_("The highest level of a limit that was reached, in percent; none where no limit is meant."),
    )
    lost_reason = models.CharField(_("reason of loss"), max_length=200, blank=True)
    opened_at = models.DateTimeField(_("opened"))
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    class Meta:
        verbose_name = _("lead")
        verbose_name_plural = _("leads")
        permissions = [
            ("view_all_leads", "Can view the leads of every rep"),
            ("assign_lead", "Can give leads to any rep"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["account"], condition=IS_OPEN, name="lead_one_open_per_account"),
            models.CheckConstraint(
                condition=Q(stage__in=["won", "lost"], closed_at__isnull=False) | (IS_OPEN & Q(closed_at__isnull=True)),
                name="lead_has_an_end_exactly_when_closed",
            ),
            models.CheckConstraint(
                condition=(Q(stage="lost") & ~Q(lost_reason="")) | (~Q(stage="lost") & Q(lost_reason="")),
                name="lead_has_a_reason_exactly_when_lost",
            ),
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="lead_priority_is_known"),
            models.CheckConstraint(condition=Q(severity__in=Severity.values), name="lead_severity_is_known"),
        ]
        indexes = [
            models.Index(fields=["rep", "stage"], name="lead_by_rep_and_stage"),
            models.Index(fields=["-priority", "-severity", "opened_at"], condition=IS_OPEN, name="lead_open_by_rank"),
            models.Index(fields=["opened_at"], condition=IS_OPEN & Q(rep__isnull=True), name="lead_queued"),
            models.Index(fields=["account", "-closed_at"], name="lead_by_account"),
        ]

    def __str__(self) -> str:
        return str(self.account)


class Signal(models.Model):
    """Why we call: one claimed alert with its evidence frozen as it was then. Append-only by trigger.

    One that cooled is why we do not: it came soon after its lead was lost, and was no worse.
    """

    lead = models.ForeignKey(Lead, models.PROTECT, related_name="signals")
    alert = models.OneToOneField("metering.Alert", models.PROTECT, related_name="+")
    evidence = models.JSONField(help_text=_("Meter, level, usage, limit, series, plan and cost when it was taken up."))
    created_at = models.DateTimeField()
    is_cooled = models.BooleanField(
        _("cooled"), default=False, db_default=False, help_text=_("Came too soon after the lead was lost.")
    )

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

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(from_stage=F("to_stage")), name="transition_goes_somewhere"),
            models.CheckConstraint(
                condition=~Q(to_stage="lost") | ~Q(reason=""), name="transition_to_lost_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_stage} → {self.to_stage}"


class ActivityKind(models.TextChoices):
    NOTE = "note", _("note")
    ASSIGNMENT = "assignment", _("assignment")


class Activity(models.Model):
    """What somebody did or wrote about a lead. Append-only by trigger."""

    lead = models.ForeignKey(Lead, models.PROTECT, related_name="activities")
    kind = models.CharField(max_length=12, choices=ActivityKind.choices)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    rep = models.ForeignKey(
        RepProfile,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text=_("Who was given the lead."),
    )
    text = models.TextField(max_length=5000, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = _("activities")
        constraints = [
            models.CheckConstraint(
                condition=(Q(kind="note", rep__isnull=True) & ~Q(text=""))
                | Q(kind="assignment", rep__isnull=False, text=""),
                name="activity_has_the_fields_of_its_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.text[:60]
