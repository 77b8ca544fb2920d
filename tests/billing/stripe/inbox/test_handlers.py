import pytest

from billing.stripe.inbox import handlers, handles


@pytest.fixture(autouse=True)
def no_handlers(monkeypatch):
    handlers.import_hooks()  # once and for all, before what is theirs is put aside
    monkeypatch.setattr(handlers, "HANDLERS", {})


def test_a_handler_is_found_by_each_of_its_types():
    @handles("invoice.created", "invoice.updated")
    def look(event, at): ...

    assert handlers.find_handler("invoice.updated") is look
    assert handlers.find_handler("invoice.paid") is None
    assert handlers.list_types() == ["invoice.created", "invoice.updated"]


def test_a_type_is_handled_by_one_function():
    @handles("invoice.created")
    def look(event, at): ...

    with pytest.raises(handlers.TypeAlreadyHandled, match="look"):

        @handles("invoice.created")
        def look_again(event, at): ...
