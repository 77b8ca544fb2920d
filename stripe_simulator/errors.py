"""Stripe's errors: what a handler raises, and the body and headers that it becomes.

Shapes: https://docs.stripe.com/api/errors; codes: https://docs.stripe.com/error-codes.
"""

from collections.abc import Mapping
from typing import Any


class StripeError(Exception):
    """A refusal in Stripe's form. `extra` goes into the error's body, `headers` into the answer's.

    `keeps`: what was done before it stays, as a declined charge does.
    """

    def __init__(
        self,
        status: int,
        type: str,
        code: str | None,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        keeps: bool = False,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status, self.type, self.code, self.message, self.param = status, type, code, message, param
        self.headers = dict(headers or {})
        self.keeps = keeps
        self.extra = extra

    def to_body(self, request_id: str) -> dict[str, Any]:
        error: dict[str, Any] = {"message": self.message, "type": self.type}
        if self.code:
            error |= {
                "code": self.code,
                "doc_url": f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}",
            }
        if self.param:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error | self.extra}


def refuse(message: str, *, param: str | None = None, code: str | None = None, **extra: Any) -> StripeError:
    """The common refusal: 400, `invalid_request_error`."""
    return StripeError(400, "invalid_request_error", code, message, param=param, **extra)


def refuse_missing(kind: str, id: str, *, param: str = "id", status: int = 404) -> StripeError:
    """`No such customer: 'cus_1'`: 404 for what the path names; Stripe says 400 for what a parameter names."""
    noun = kind.rpartition(".")[2]
    return StripeError(status, "invalid_request_error", "resource_missing", f"No such {noun}: '{id}'", param=param)
