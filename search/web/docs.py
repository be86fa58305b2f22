"""The page `/docs`: the HTTP interface, drawn from its OpenAPI document; no script and nothing from the network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

__all__ = ["render_docs"]

_EXAMPLES = {
    "get /api/about": "curl 'http://127.0.0.1:8000/api/about'",
    "get /api/search": "curl 'http://127.0.0.1:8000/api/search?words=red+fruit&count=5'",
    "post /api/search": "curl -H 'Content-Type: application/octet-stream' --data-binary @photo.jpg \\\n"
    "  'http://127.0.0.1:8000/api/search?count=5&format=csv'",
    "get /api/picture": "curl -o picture.webp 'http://127.0.0.1:8000/api/picture?id=1F34E'",
}

_ANSWER = """
<h2>An answer</h2>
<p>The answer to a search has the keys <code>query</code>, <code>dataset</code>, <code>method</code>,
<code>expected</code> (the class that counts as right), <code>expected_is_predicted</code> (whether that is the guess of
the query's own classifier), <code>unknown_words</code> (words of the query without a vector) and <code>hits</code>,
best first. Each hit has <code>rank</code>, <code>id</code>, <code>text</code>, <code>image</code> (its path in the data
set), <code>label</code> (its class), <code>score</code> (higher is more related) and <code>right</code>.</p>
<p>An error is <code>{"detail": "one line that says what to do"}</code>: 400 for a query that cannot be answered, 404
for an item without a picture, 413 and 415 for an upload that is too large or not announced as a picture, 503 when a
file of the project is missing or stale.</p>
"""


def render_docs(document: Mapping[str, Any]) -> str:
    """Draws an OpenAPI document.

    Args:
        document: as FastAPI makes it.

    Returns:
        A whole HTML document.
    """
    about = document["info"]
    title = escape(about["title"])
    parts = [
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}: HTTP interface</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="stylesheet" href="/page.css">\n</head>\n<body class="docs">\n<main>\n'
        f"<h1>{title}</h1>\n<p>{_marked(about['description'])} Version {escape(about['version'])}. "
        '<a href="/">The search page</a>; <a href="/openapi.json">this as an OpenAPI document</a>.</p>\n'
    ]
    for path, methods in document["paths"].items():
        parts += [_route(verb, path, route) for verb, route in methods.items()]
    return "".join([*parts, _ANSWER, "</main>\n</body>\n</html>\n"])


def _route(verb: str, path: str, route: Mapping[str, Any]) -> str:
    head = f"<h2><code>{verb.upper()} {escape(path)}</code></h2>\n<p>{escape(route['summary'])}.</p>\n"
    text = f"<p>{_marked(route.get('description', ''))}</p>\n"
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(_kind(each['schema']))}</td>"
        f"<td>{escape(str(each['schema'].get('default', 'needed' if each['required'] else '')))}</td>"
        f"<td>{escape(each.get('description', ''))}</td></tr>\n"
        for each in route.get("parameters", ())
    )
    names = "<tr><th>parameter</th><th>kind</th><th>default</th><th>meaning</th></tr>"
    table = (
        f'<div class="wide"><table>\n<thead>{names}</thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n' if rows else ""
    )
    example = _EXAMPLES.get(f"{verb} {path}")
    return head + text + table + (f"<pre>{escape(example)}</pre>\n" if example else "")


def _marked(text: str) -> str:
    """A text whose names in backticks are set as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _kind(schema: Mapping[str, Any]) -> str:
    """A parameter's type in words, with its limits."""
    known = next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)
    if "enum" in known:
        return " or ".join(map(str, known["enum"]))
    least, most = known.get("minimum"), known.get("maximum")
    limits = "" if least is None else f", {least} to {most}" if most is not None else f", at least {least}"
    return {"string": "text", "integer": "whole number"}.get(known.get("type", ""), known.get("type", "")) + limits
