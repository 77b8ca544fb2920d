import pytest
from grimp import ImportGraph

from config.doors import DoorsContract


def check(importer: str, module: str) -> list[tuple[str, str]]:
    graph = ImportGraph()
    for name in ("metering", "metering.usage", "metering.usage.rows", "metering.models", importer):
        graph.add_module(name)
    graph.add_import(importer=importer, imported=module, line_number=3, line_contents="import it")
    contract = DoorsContract("doors", {}, {"app": "metering", "doors": ["usage"]})
    found = contract.check(graph, verbose=False)
    assert found.kept is not bool(found.metadata["trespasses"])
    return [(who, what) for who, what, *_ in found.metadata["trespasses"]]


@pytest.mark.parametrize("module", ["metering.usage", "metering.usage.rows"])
def test_a_door_and_what_lies_behind_it_may_be_imported(module: str):
    assert check("billing.rating", module) == []


@pytest.mark.parametrize("module", ["metering", "metering.models"])
def test_everything_else_is_closed_to_other_apps(module: str):
    assert check("billing.rating", module) == [("billing.rating", module)]


def test_an_app_is_at_home_in_its_own_modules():
    assert check("metering.api", "metering.models") == []


def test_an_app_whose_name_begins_alike_is_another_app():
    assert check("metering_tools", "metering.models") == [("metering_tools", "metering.models")]
