"""The frame of every page that stands for one of Stripe's: says what it is, works without script, in both themes."""

from pathlib import Path

from stripe_simulator.pages.markup import Child, Markup, tag

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
STYLE = (Path(__file__).parent / "style.css").read_text()
NOTE = "Local Stripe simulator. No real card is charged: use Stripe's test cards."


def render(title: str, *children: Child) -> str:
    """A whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{title} · Stripe simulator"),
        Markup(f"<style>{STYLE}</style>"),
        tag("link", rel="icon", href="data:,"),
    )
    body = tag("body", tag("p", NOTE, class_="note", role="note"), tag("main", tag("h1", title), *children))
    return "<!doctype html>" + tag("html", head, body, lang="en").html
