"""Updates: metadata is merged, an empty string unsets."""

from typing import Any

Object = dict[str, Any]


def merge_metadata(held: dict[str, str], given: Any) -> dict[str, str]:
    """`{}` keeps all, `''` removes all, a key with `''` removes that key."""
    if given == "":
        return {}
    if given is None:
        return held
    return {key: value for key, value in {**held, **given}.items() if value != ""}


def update(value: Object, params: dict[str, Any], *names: str) -> Object:
    """Copy the named parameters that were given into the object, in place: '' becomes null, metadata is merged."""
    for name in names:
        if name in params:
            given = params[name]
            value[name] = (
                merge_metadata(value[name] or {}, given) if name == "metadata" else (None if given == "" else given)
            )
    return value
