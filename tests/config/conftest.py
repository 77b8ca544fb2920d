import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what ends a shared stack last in its module: any order holds, but this one starts the stack least often."""
    modules = list(dict.fromkeys(item.path for item in items))
    items.sort(key=lambda item: (modules.index(item.path), item.get_closest_marker("ends_module") is not None))
