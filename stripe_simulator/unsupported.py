"""What the contract allows and this simulator does not do: said with 501, never passed over in silence."""

from stripe_simulator.errors import StripeError
from stripe_simulator.routes import Object


def refuse_unsupported(params: Object, *names: str) -> None:
    """Refuse a request that gives one of these parameters a value."""
    for name in names:
        if params.get(name) not in (None, "", [], {}):
            message = f"This simulator does not implement the parameter {name}."
            raise StripeError(501, "api_error", "not_implemented", message, param=name)
