"""`drsl serve`."""

from __future__ import annotations

from pathlib import Path

import click

from drsl.project import Project, dataset_option, method_option, seed_option


@click.command()
@dataset_option
@method_option
@seed_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; others may see it.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0 takes a free one."
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.pass_obj
def serve(folder: Path | None, dataset: str, method: str, seed: int, host: str, port: int, open_page: bool) -> None:
    """Show a search page for words and pictures, with an HTTP interface at /docs.

    \b
    Examples:
      drsl serve -d emoji
      drsl serve -d emoji -m drsl-m -s 1 --port 8080 --open
    """
    import time
    from functools import partial
    from importlib.util import find_spec
    from threading import Thread

    from drsl.features.errors import MissingFile

    if missing := [each for each in ("fastapi", "uvicorn") if find_spec(each) is None]:
        raise MissingFile(f"the page needs {' and '.join(missing)}: pip install '.[web]' brings them")
    start = time.perf_counter()
    import uvicorn

    from drsl.search.web.app import LOOPBACK, make_app
    from drsl.search.web.listen import listen
    from drsl.search.web.service import Service

    project = Project.open(folder, dataset)
    project.require_raw("a query has no encoder and an answer nothing to show")
    with listen(host, port) as socket:
        service = Service(project.layout, method, seed, partial(click.echo, err=True))
        for line in service.warm():
            click.echo(line, err=True)
        near = host in ("127.0.0.1", "localhost", "::1")
        shown = f"http://{'[' + host + ']' if ':' in host else host}:{socket.getsockname()[1]}/"
        if not near:
            click.echo("whoever reaches this machine can search here and see the pictures", err=True)
        click.echo(f"{shown} searches {dataset} ({time.perf_counter() - start:.1f} s to start); Ctrl+C ends it")

        def warm_pictures() -> None:
            for line in service.warm_pictures():
                click.echo(line, err=True)

        Thread(target=warm_pictures, daemon=True).start()
        if open_page:
            click.launch(shown)
        app = make_app(service, LOOPBACK if near else None)
        settings = uvicorn.Config(app, log_level="warning", access_log=False, limit_concurrency=64, lifespan="off")
        uvicorn.Server(settings).run(sockets=[socket])
