from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    DEAD = "dead", _("Dead")


class Job(models.Model):
    """One piece of promised work. The row is the truth; the broker only wakes somebody to look at it."""

    kind = models.CharField(_("kind"), max_length=100)
    key = models.CharField(
        _("key"), max_length=200, help_text=_("What the work is about; one job per kind and key, for ever.")
    )
    payload = models.JSONField(_("payload"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=JobState.choices, default=JobState.QUEUED)
    run_at = models.DateTimeField(_("run at"), help_text=_("Not before this time."))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    max_attempts = models.PositiveIntegerField(_("maximum of attempts"), default=10)
    lease_token = models.UUIDField(_("lease token"), null=True, editable=False)
    lease_until = models.DateTimeField(
        _("lease until"), null=True, help_text=_("When another worker may take the job over.")
    )
    progress_done = models.PositiveBigIntegerField(_("progress"), default=0)
    progress_total = models.PositiveBigIntegerField(_("progress total"), null=True)
    error = models.TextField(_("error"), blank=True, help_text=_("Why the last attempt failed."))
    created_at = models.DateTimeField(_("created at"))
    started_at = models.DateTimeField(_("started at"), null=True, help_text=_("When the last attempt began."))
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], name="job_once_per_kind_and_key"),
            models.CheckConstraint(
                condition=Q(state="running", lease_token__isnull=False, lease_until__isnull=False)
                | (~Q(state="running") & Q(lease_token__isnull=True, lease_until__isnull=True)),
                name="job_has_a_lease_exactly_while_it_runs",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["done", "dead"], finished_at__isnull=False)
                | Q(state__in=["queued", "running"], finished_at__isnull=True),
                name="job_has_an_end_exactly_when_finished",
            ),
            models.CheckConstraint(condition=Q(attempts__lte=F("max_attempts")), name="job_attempts_within_maximum"),
            models.CheckConstraint(
                condition=~Q(state="queued") | Q(attempts__lt=F("max_attempts")),
                name="job_has_an_attempt_left_while_queued",
            ),
            models.CheckConstraint(
                condition=Q(state="queued") | Q(attempts__gt=0, started_at__isnull=False),
                name="job_was_attempted_once_it_left_the_queue",
            ),
            models.CheckConstraint(condition=~Q(state="dead") | ~Q(error=""), name="job_says_why_it_is_dead"),
        ]
        indexes = [
            models.Index(fields=["run_at"], condition=Q(state="queued"), name="job_queued_by_run_at"),
            models.Index(fields=["lease_until"], condition=Q(state="running"), name="job_running_by_lease"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
