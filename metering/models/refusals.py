"""What was sent and not kept, and how many events each key sent with which fate."""

from django.db import models
from django.db.models import Q


class RejectedEvent(models.Model):
    """A refused row of a request, or a whole body that held no rows: what was sent, and why it was refused.

    The same body sent again by the same key is the same row. Bounded by key and hour, and pruned by a schedule.
    """

    api_key = models.ForeignKey("metering.ApiKey", models.CASCADE, related_name="rejected_events", db_index=False)
    account = models.ForeignKey(
        "metering.Account", models.CASCADE, null=True, related_name="+", db_index=False, help_text="The key's own."
    )
    digest = models.UUIDField(help_text="16 bytes of SHA-256 over all that was sent.")
    received_at = models.DateTimeField(help_text="When it was first received.")
    last_at = models.DateTimeField(help_text="When it was received most recently.")
    times = models.PositiveBigIntegerField(default=1)
    source = models.TextField(blank=True)
    event_id = models.TextField(blank=True)
    code = models.CharField(max_length=60)
    field = models.TextField(blank=True)
    message = models.TextField()
    body = models.BinaryField(help_text="What was sent, as far as it is kept.")
    is_whole = models.BooleanField(default=False, help_text="Of a request whose rows could not be told apart.")
    is_cut = models.BooleanField(default=False, help_text="More was sent than is kept, so it cannot be replayed.")
    replayed_at = models.DateTimeField(null=True)
    replay_fate = models.CharField(max_length=12, blank=True, help_text="What became of it when it was replayed.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "digest"], name="rejected_event_is_kept_once"),
            models.CheckConstraint(
                condition=Q(replayed_at__isnull=True, replay_fate="")
                | (Q(replayed_at__isnull=False) & ~Q(replay_fate="")),
                name="rejected_event_replayed_has_a_fate",
            ),
        ]
        indexes = [
            models.Index(fields=["api_key", "received_at"], name="rejected_event_by_key"),
            models.Index(fields=["account", "received_at"], name="rejected_event_by_account"),
            models.Index(fields=["source", "event_id"], condition=~Q(event_id=""), name="rejected_event_by_name"),
            models.Index(fields=["last_at"], name="rejected_event_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.source} {self.event_id}".rstrip()


class IngestionFigure(models.Model):
    """How many events one key sent in one UTC hour, by their fate. Gathered in each process, added every few seconds.

    `skipped` counts values that a meter could not use; their events are counted under their fate as well.
    """

    pk = models.CompositePrimaryKey("api_key_id", "hour")
    api_key = models.ForeignKey("metering.ApiKey", models.CASCADE, related_name="figures", db_index=False)
    hour = models.DateTimeField()
    accepted = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    conflict = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    unmatched = models.BigIntegerField(default=0)
    late = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["hour"], name="ingestion_figure_by_hour")]

    def __str__(self) -> str:
        return f"{self.api_key_id} {self.hour:%Y-%m-%d %H:00}"
