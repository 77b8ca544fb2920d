"""/v1/invoice_payments: read only; invoices make them."""

from stripe_simulator.lists import answer_list
from stripe_simulator.routes import Object, Request, route


@route("GET", "/v1/invoice_payments")
def list_invoice_payments(request: Request) -> Object:
    params = request.params
    given = {key: params[key] for key in ("invoice", "status") if key in params}
    wanted = (params.get("payment") or {}).get("payment_intent")
    found = request.sim.store.scan("invoice_payment", **given)
    return answer_list(request, (row for row in found if wanted in (None, row["payment"].get("payment_intent"))))


@route("GET", "/v1/invoice_payments/{id}")
def read_invoice_payment(request: Request) -> Object:
    return request.sim.store.get("invoice_payment", request.id)
