"""HTML that cannot forget to escape: every string given to a tag is text, only what a tag made is markup."""

from html import escape
from typing import NamedTuple

VOID = {"input", "meta", "link", "br", "hr"}


class Markup(NamedTuple):
    html: str


Child = Markup | str | int | None


def tag(name: str, /, *children: Child, **attributes: str | bool | None) -> Markup:
    """One element. `class_` and `for_` stand for the words that Python keeps; an underscore becomes a hyphen."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{written}>" + ("" if name in VOID else f"{join(*children).html}</{name}>"))


def join(*children: Child) -> Markup:
    return Markup(
        "".join(
            child.html if isinstance(child, Markup) else escape(str(child)) for child in children if child is not None
        )
    )


def field(
    label: str, name: str, *, value: str = "", error: str | None = None, **attributes: str | bool | None
) -> Markup:
    """A labelled input, with what is wrong about it beneath."""
    about = f"{name}-error" if error else None
    return tag(
        "div",
        tag("label", label, for_=name),
        tag(
            "input",
            id=name,
            name=name,
            value=value,
            aria_invalid="true" if error else None,
            aria_describedby=about,
            **attributes,
        ),
        tag("p", error, id=about, class_="error") if error else None,
        class_="field",
    )


def post(action: str, *children: Child, label: str, kind: str = "primary", **attributes: str | bool | None) -> Markup:
    """A form of one button."""
    button = tag("button", label, type="submit", class_=kind)
    return tag("form", *children, button, method="post", action=action, **attributes)
