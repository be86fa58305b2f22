"""SHOW: the search page of `drsl serve` and its HTTP interface. Needs the extra `web`.

Read first: `make_app` (app.py). FastAPI with one small page of its own, because the page then needs nothing from the
network, answers are those of `drsl search --json` and are described at `/docs` from the code, and a start takes a few
seconds; the page is one HTML, one CSS and one JavaScript file, which a reader can hold in the head.
"""
