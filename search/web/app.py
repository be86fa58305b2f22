"""The routes of the search page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from drsl import __version__
from drsl.features.errors import DamagedFile, MissingFile, StaleFile, UserError
from drsl.search.answers import answer_as_csv
from drsl.search.web.docs import render_docs
from drsl.search.web.service import MOST_BYTES, Service

__all__ = ["LOOPBACK", "make_app"]

LOOPBACK = frozenset(("127.0.0.1", "localhost", "[::1]"))
"""Names of this machine in a request's Host header; other names would be other sites' pages reaching in."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Method = Annotated[str | None, Query(description="a fitted method; default: the one the server was started with")]
Seed = Annotated[int | None, Query(ge=0, description="the seed it was fitted with; default: as the server's")]
Count = Annotated[int, Query(ge=1, le=500, description="how many answers")]
Split = Annotated[str, Query(description="what is searched: test, val, train or all")]
Expected = Annotated[str | None, Query(alias="class", description="the class that counts as right; default: the guess")]
Only = Annotated[str | None, Query(description="answers of this class only")]
Format = Annotated[Literal["json", "csv"], Query(description="json, or the hits as csv")]


@dataclass(frozen=True)
class _Options:
    """What both ways to search take, by the names that `Service.ask` has for it."""

    method: Method = None
    seed: Seed = None
    split: Split = "test"
    count: Count = 10
    expected: Expected = None
    only: Only = None


def make_app(service: Service, hosts: Collection[str] | None = LOOPBACK) -> FastAPI:
    """Builds the web application.

    Args:
        service: what answers.
        hosts: names that the Host header may have; None for any.

    Returns:
        An ASGI application.
    """
    app = FastAPI(
        title=f"drsl search: {service.layout.dataset}",
        version=__version__,
        description="Finds images for words and texts for pictures. Answers are those of `drsl search --json`.",
        docs_url=None,
        redoc_url=None,
    )
    _add_guards(app, service, hosts)
    _add_pages(app)
    _add_interface(app, service)
    return app


def _add_guards(app: FastAPI, service: Service, hosts: Collection[str] | None) -> None:
    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        host = request.headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if hosts is not None and name.lower() not in hosts:
            return JSONResponse({"detail": "this server answers to the name of this machine only"}, 403, _HEADERS)
        response = await call_next(request)
        response.headers.update(_HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.exception_handler(UserError)
    async def tell(request: Request, error: UserError) -> JSONResponse:
        ours = isinstance(error, MissingFile | DamagedFile | StaleFile)  # the project's files, not the query
        return JSONResponse({"detail": service.plain(error)}, 503 if ours else 400)

    @app.exception_handler(RequestValidationError)
    async def tell_wrong(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = (f"{each['loc'][-1]}: {each['msg'][:1].lower()}{each['msg'][1:]}" for each in error.errors())
        return JSONResponse({"detail": "; ".join(wrong)}, 400)


def _add_pages(app: FastAPI) -> None:
    here = Path(__file__).parent

    def add(path: str, name: str) -> None:
        app.add_api_route(path, lambda: FileResponse(here / name), include_in_schema=False)

    for path, name in (("/", "page.html"), ("/page.css", "page.css"), ("/page.js", "page.js")):
        add(path, name)

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return Response(status_code=204)

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(render_docs(app.openapi()))


def _add_interface(app: FastAPI, service: Service) -> None:
    @app.get("/api/about", summary="What there is to choose from")
    def about() -> dict[str, Any]:
        """The data set, its classes and splits with their numbers of items, and the fitted methods with their seeds."""
        return service.about()

    @app.get("/api/search", summary="Search with words, or with an item of the data set", response_model=None)
    def search(
        options: Annotated[_Options, Depends()],
        words: Annotated[str | None, Query(max_length=10_000, description="any text: images are found for it")] = None,
        item: Annotated[str | None, Query(description="an item's id: its stored feature is the query")] = None,
        find: Annotated[
            Literal["image", "text"], Query(description="for an item: images for its text, or texts for its picture")
        ] = "text",
        format: Format = "json",
    ) -> Response:
        """Give either `words` or `item`. Words without a vector are named in `unknown_words`; they had no say."""
        words = words.strip() if words else None
        if bool(words) == bool(item):
            raise UserError("give either words or item")
        found = service.ask(
            words or item or "",
            words=words or None,
            item=item or None,
            find=find,
            **asdict(options),
        )
        return _answer(found, format)

    @app.post(
        "/api/search",
        summary="Search with a picture",
        response_model=None,
        openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
    )
    async def search_with_picture(
        request: Request,
        options: Annotated[_Options, Depends()],
        name: Annotated[str, Query(max_length=300, description="what the answer calls the picture")] = "picture",
        format: Format = "json",
    ) -> Response:
        """The body is the picture's file, of at most 20 MiB, of any format that Pillow reads: texts are found for it.

        Its Content-Type is `application/octet-stream` or an image's.
        """
        kind = request.headers.get("content-type", "")
        if kind != "application/octet-stream" and not kind.startswith("image/"):
            return JSONResponse({"detail": "send the picture's bytes as Content-Type application/octet-stream"}, 415)
        picture = await _read_body(request)
        if picture is None:
            return JSONResponse({"detail": f"the picture has more than {MOST_BYTES // 2**20} MiB"}, 413)
        found = await run_in_threadpool(
            service.ask,
            name,
            picture=picture,
            **asdict(options),
        )
        return _answer(found, format)

    @app.get("/api/picture", summary="The picture of an item", response_class=Response)
    def picture(id: Annotated[str, Query(description="the item's id")]) -> Response:
        """A WebP file of at most 320 pixels a side."""
        try:
            content = service.thumbnail(id)
        except MissingFile as error:
            return JSONResponse({"detail": service.plain(error)}, 404)
        return Response(content, media_type="image/webp", headers={"Cache-Control": "private, max-age=300"})


async def _read_body(request: Request) -> bytes | None:
    """The body of a request; None when it is too large, of which no more than that is read."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > MOST_BYTES:
        return None
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            return None
    return b"".join(parts)


def _answer(found: dict[str, Any], format: str) -> Response:
    if format == "json":
        return JSONResponse(found)
    headers = {"Content-Disposition": 'attachment; filename="drsl-search.csv"'}
    return Response(answer_as_csv(found), media_type="text/csv", headers=headers)
