"""The one account that all keys belong to."""

from stripe_simulator import ACCOUNT
from stripe_simulator.contract import template
from stripe_simulator.routes import Object, Request, route


@route("GET", "/v1/account")
def read_account(request: Request) -> Object:
    return template(
        "account",
        id=ACCOUNT,
        country="FR",
        default_currency="eur",
        charges_enabled=True,
        details_submitted=True,
        payouts_enabled=True,
        type="standard",
    )
