"""Test messages: marked as such, to whoever asks for one alone, by the same road and in the same log as any other."""

from datetime import datetime

from django.db import transaction

from metering.accounts import AccountRef
from metering.models import Audience, Delivery, Notice, NoticeState, Occasion, WebhookEndpoint
from metering.notices.mails import Draft, write_mail
from metering.notices.payloads import write_payload
from metering.notices.recipients import Recipient, state_endpoint
from metering.notices.samples import make_sample
from metering.notices.telling import Message, promise_messages

NOBODY = AccountRef(id=0, key="test", name="Test")


@transaction.atomic
def send_test(account: AccountRef, recipient: Recipient, *, time_zone: str = "UTC", at: datetime) -> int:
    """Promise one test mail to this person about this account; the id of its delivery. Each call sends another."""
    fact = make_sample(account.id, time_zone=time_zone, at=at)
    draft = write_mail([(fact, Occasion.TEST)], recipient, account_name=account.name or account.key)
    return promise_test(Audience.MEMBERS, recipient, draft, account_id=account.id, at=at)


@transaction.atomic
def fire_test(endpoint_id: int, *, at: datetime) -> int:
    """Promise one request of type `alert.test` to this endpoint, whatever it is told of; the id of its delivery."""
    endpoint = WebhookEndpoint.objects.get(pk=endpoint_id)
    draft = write_payload(make_sample(None, at=at), Occasion.TEST, account=NOBODY, at=at)
    return promise_test(Audience.WEBHOOK, state_endpoint(endpoint), draft, account_id=None, at=at)


def promise_test(audience: str, recipient: Recipient, draft: Draft, *, account_id: int | None, at: datetime) -> int:
    notice = Notice.objects.create(
        account_id=account_id,
        audience=audience,
        occasion=Occasion.TEST,
        state=NoticeState.TOLD,
        made_at=at,
        due_at=at,
        decided_at=at,
    )
    promise_messages([Message(recipient, (notice,), draft)], at=at)
    return Delivery.objects.values_list("pk", flat=True).get(first_notice=notice)
