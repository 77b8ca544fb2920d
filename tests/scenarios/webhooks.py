"""Being told by Stripe: a signed body at our door, and a handler of the test's own."""

from contextlib import contextmanager

from django.db import connection
from django.test import Client

from billing.stripe.inbox.storing import HANDLE_EVENT
from jobs import queue
from tests.billing.stripe.inbox.bodies import sign, write_event

SECRET, OLD_SECRET = "whsec_new", "whsec_old"
KIND = "test.done"


def tell(body=None, secret=SECRET, *, seconds=0):
    """The status that Stripe is answered."""
    body = body or write_event("evt_1", KIND)
    headers = {"Stripe-Signature": sign(body, secret, seconds=seconds)}
    return Client().post("/stripe/webhook/", body, content_type="application/json", headers=headers).status_code


def work(key="evt_1 0", *, at):
    return queue.do_now(HANDLE_EVENT, key, clock=lambda: at)


@contextmanager
def without_unique_events():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_stripeevent DROP CONSTRAINT billing_stripeevent_stripe_id_key")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE billing_stripeevent")
            cursor.execute(
                "ALTER TABLE billing_stripeevent ADD CONSTRAINT billing_stripeevent_stripe_id_key UNIQUE (stripe_id)"
            )
