"""The HTTP interface: the answers of `drsl search`, errors in one line, and what must not get in or out."""

import csv
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import quote

import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the extra web is not installed")
pytest.importorskip("httpx2", reason="the extra test is not installed")

from fastapi.testclient import TestClient

from drsl.features.errors import MissingFile, SettingError
from drsl.features.manifest import read_manifest, write_manifest
from drsl.search.answers import answer_as_json
from drsl.search.searcher import Searcher
from drsl.search.web import service as service_module
from drsl.search.web.app import make_app
from drsl.search.web.listen import listen
from drsl.search.web.service import Service

BYTES = {"content-type": "application/octet-stream"}


@pytest.fixture
def client(project):
    return TestClient(make_app(Service(project.layout, "drsl-c", 0)), base_url="http://127.0.0.1:8000")


def _picture(pixel=(225, 35, 35), form="PNG", size=(90, 30)):
    buffer = io.BytesIO()
    Image.new("RGB", size, pixel).save(buffer, form)
    return buffer.getvalue()


def _detail(response, status):
    assert response.status_code == status, response.text
    said = response.json()
    assert set(said) == {"detail"}
    assert "\n" not in said["detail"]
    return said["detail"]


# The same answers as `drsl search --json`


def test_words(client, project):
    found = client.get("/api/search", params={"words": "red rose", "count": 3}).json()
    expected = Searcher(project.layout, "drsl-c", 0).find_images("red rose", 3)
    assert found == answer_as_json(expected, "red rose", "squares", "drsl-c")
    assert [hit["label"] for hit in found["hits"]] == ["red"] * 3


def test_a_picture(client, project, tmp_path):
    content = _picture()
    (tmp_path / "query.png").write_bytes(content)
    found = client.post("/api/search", params={"name": "query.png"}, content=content, headers=BYTES).json()
    expected = Searcher(project.layout, "drsl-c", 0).find_texts(tmp_path / "query.png")
    assert found == answer_as_json(expected, "query.png", "squares", "drsl-c")
    assert found["expected"] == "red"


@pytest.mark.parametrize("find", ["image", "text"])
def test_an_item_is_asked_with_its_stored_feature(client, project, find):
    project.layout.network("image").unlink()
    project.layout.network("text").unlink()
    found = client.get("/api/search", params={"item": "item-5", "find": find, "count": 4}).json()
    expected = Searcher(project.layout, "drsl-c", 0).find_for_item("item-5", find, 4)
    assert found == answer_as_json(expected, "item-5", "squares", "drsl-c")
    assert (found["expected"], found["expected_is_predicted"]) == ("red", False)


def test_an_item_answers_as_its_own_words_and_its_own_picture_do(client, project):
    manifest = read_manifest(project.layout.manifest)
    item = manifest.by_id["item-10"]
    own = client.get("/api/search", params={"item": item.id, "find": "image", "count": 9}).json()["hits"]
    words = client.get("/api/search", params={"words": item.text, "count": 9}).json()["hits"]
    assert [hit["id"] for hit in own] == [hit["id"] for hit in words]
    assert [hit["score"] for hit in own] == pytest.approx([hit["score"] for hit in words], abs=1e-4)
    own = client.get("/api/search", params={"item": item.id, "count": 9}).json()["hits"]
    content = manifest.image_path(item).read_bytes()
    picture = client.post("/api/search", params={"count": 9}, content=content, headers=BYTES).json()["hits"]
    assert [hit["score"] for hit in own] == pytest.approx([hit["score"] for hit in picture], abs=1e-4)


def test_split_class_and_filter(client):
    found = client.get("/api/search", params={"words": "rose", "split": "all", "count": 99, "only": "blue"}).json()
    assert [hit["rank"] for hit in found["hits"]] == list(range(1, 13))
    assert {hit["label"] for hit in found["hits"]} == {"blue"}
    assert not any(hit["right"] for hit in found["hits"])
    found = client.get("/api/search", params={"words": "rose", "class": "blue", "count": 9}).json()
    assert (found["expected"], found["expected_is_predicted"]) == ("blue", False)
    assert len(found["hits"]) == 9


def test_csv_has_the_hits(client):
    asked = {"words": "red rose", "count": 3}
    response = client.get("/api/search", params=asked | {"format": "csv"})
    assert response.headers["content-type"].startswith("text/csv")
    assert "attachment" in response.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(response.text)))
    hits = client.get("/api/search", params=asked).json()["hits"]
    assert [{**row, "right": json.loads(row["right"])} for row in rows] == [
        {**hit, "rank": str(hit["rank"]), "score": str(hit["score"])} for hit in hits
    ]


def test_unknown_words_are_named(client):
    assert client.get("/api/search", params={"words": "zebra rose"}).json()["unknown_words"] == ["zebra"]
    assert "no word of 'zebra'" in _detail(client.get("/api/search", params={"words": "zebra"}), 400)


def test_what_there_is_to_choose_from(client):
    about = client.get("/api/about").json()
    assert about["methods"] == [{"method": "drsl-c", "seeds": [0]}]
    assert about["classes"] == ["blue", "green", "red"]
    assert about["splits"][2:] == [{"split": "test", "items": 9}, {"split": "all", "items": 36}]


def test_many_callers_at_a_time_get_their_own_answers(client):
    asked = ["red rose", "deep blue sea", "green grass", "ocean", "crimson zebra", "lawn"] * 4
    alone = {words: client.get("/api/search", params={"words": words}).json() for words in set(asked)}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda words: client.get("/api/search", params={"words": words}).json(), asked))
    assert answers == [alone[words] for words in asked]


def test_a_changed_file_is_read_again(client, project):
    asked = {"item": "item-5", "count": 9}
    before = client.get("/api/search", params=asked).json()
    run = project.layout.run("drsl-c", 0)
    content = run.model.read_bytes()
    run.model.unlink()
    assert "drsl fit -d squares -m drsl-c -s 0" in _detail(client.get("/api/search", params=asked), 503)
    run.model.write_bytes(content)
    assert client.get("/api/search", params=asked).json() == before
    project.retrain_text(encode=True, seed=1)
    assert "was fitted on other text features" in _detail(client.get("/api/search", params=asked), 503)


# Wrong input


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({}, "either words or item"),
        ({"words": "  "}, "either words or item"),
        ({"words": "rose", "item": "item-1"}, "either words or item"),
        ({"words": "rose", "count": 0}, "count: "),
        ({"words": "rose", "count": 10**9}, "count: "),
        ({"words": "rose", "seed": -1}, "seed: "),
        ({"words": "rose", "method": "drsl-x"}, "did you mean 'drsl-"),
        ({"words": "rose", "method": "../../drsl-c"}, "method: "),
        ({"words": "rose", "split": "tset"}, "did you mean 'test'"),
        ({"words": "rose", "class": "rad"}, "did you mean 'red'"),
        ({"words": "rose", "only": "rad"}, "did you mean 'red'"),
        ({"words": "rose", "format": "xml"}, "format: "),
        ({"words": "x" * 10_001}, "words: "),
        ({"item": "../../params.yaml"}, "there is no item '../../params.yaml'"),
        ({"item": "item-1", "find": "sound"}, "find: "),
    ],
)
def test_a_wrong_query_is_told_in_one_line(client, asked, word):
    assert word in _detail(client.get("/api/search", params=asked), 400)


def test_a_method_that_is_not_fitted_says_how(client, project):
    said = _detail(client.get("/api/search", params={"words": "rose", "seed": 7}), 503)
    assert "drsl fit -d squares -m drsl-c -s 7" in said
    assert str(project.root) not in said


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n" + b"\0" * 99])
def test_a_broken_picture_is_told_without_a_path(client, content):
    said = _detail(client.post("/api/search", content=content, headers=BYTES), 400)
    assert said.startswith("the picture ")
    assert "/tmp" not in said


def test_a_picture_cut_short(client):
    said = _detail(client.post("/api/search", content=_picture(form="JPEG", size=(99, 99))[:-400], headers=BYTES), 400)
    assert said.startswith("the picture cannot be decoded")


def test_a_picture_like_a_bomb_is_refused_undecoded(client, monkeypatch):
    monkeypatch.setattr("drsl.extract.pictures.MOST_PIXELS", 1000)
    assert "decompression bomb" in _detail(client.post("/api/search", content=_picture(), headers=BYTES), 400)


def test_a_large_upload_is_refused_whether_announced_or_not(client, monkeypatch):
    monkeypatch.setattr("drsl.search.web.app.MOST_BYTES", 2**20)
    content = b"\0" * (2**20 + 1)
    assert "more than 1 MiB" in _detail(client.post("/api/search", content=content, headers=BYTES), 413)
    taken = []

    def parts():
        for _ in range(64):
            taken.append(1)
            yield b"\0" * 2**16

    assert "more than 1 MiB" in _detail(client.post("/api/search", content=parts(), headers=BYTES), 413)


def test_a_form_of_another_site_cannot_upload(client):
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        assert "octet-stream" in _detail(client.post("/api/search", content=b"x", headers={"content-type": kind}), 415)


# Pictures of items


def test_thumbnails(client):
    response = client.get("/api/picture", params={"id": "item-3"})
    assert response.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(response.content)).size == (40, 40)


@pytest.mark.parametrize("name", ["item-99", "../manifest.csv", "images/3.png", "/etc/passwd"])
def test_no_path_of_a_caller_is_opened(client, name):
    assert "no picture" in _detail(client.get("/api/picture", params={"id": name}), 404)
    assert client.get(f"/api/picture/{quote(name, safe='')}").status_code == 404
    assert client.get(f"/{name}").status_code == 404


def test_a_picture_outside_the_data_set_is_not_shown(client, project):
    manifest = project.layout.manifest
    outside = project.root / "secret.png"
    outside.write_bytes(_picture())
    items = [replace(each, image="../../secret.png") for each in read_manifest(manifest).items]
    write_manifest(manifest, items)
    assert "no picture" in _detail(client.get("/api/picture", params={"id": "item-3"}), 404)


def test_a_page_hidden_as_a_picture_is_not_served(client, project):
    (project.root / "data" / "squares" / "images" / "3.png").write_bytes(b"<script>alert(1)</script>")
    assert "not an image" in _detail(client.get("/api/picture", params={"id": "item-3"}), 503)


# The page, its documents, its guards


@pytest.mark.parametrize("path", ["/", "/docs", "/page.js", "/page.css", "/openapi.json", "/api/about", "/nowhere"])
def test_every_answer_says_what_a_browser_may_do_with_it(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/docs", "/page.js", "/page.css"])
def test_pages_ask_nothing_of_the_network(client, path):
    text = client.get(path).text
    assert set(re.findall(r"https?://[^\s'\"/]+", text)) <= {"http://127.0.0.1:8000"}
    assert not re.search(r"<script>|\son\w+=|style=|innerHTML|insertAdjacentHTML|eval\(", text)


def test_the_documents_name_every_route_and_parameter(client):
    document, page = client.get("/openapi.json").json(), client.get("/docs").text
    assert set(document["paths"]) == {"/api/about", "/api/search", "/api/picture"}
    for path, verbs in document["paths"].items():
        for verb, route in verbs.items():
            assert f"{verb.upper()} {path}" in page
            for parameter in route.get("parameters", ()):
                assert f"<code>{parameter['name']}</code>" in page
                assert parameter["description"]


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:99", 200), ("evil.example:8000", 403), ("", 403)],
)
def test_other_names_than_this_machines_are_refused(client, host, status):
    assert client.get("/api/about", headers={"host": host}).status_code == status


def test_any_name_is_taken_when_asked_for(project):
    app = make_app(Service(project.layout, "drsl-c", 0), None)
    assert TestClient(app, base_url="http://machine.example").get("/api/about").status_code == 200


# Starting


def test_warming_finds_all_well(project):
    service = Service(project.layout, "drsl-c", 0)
    assert service.warm() == []
    assert service.warm_pictures() == []


def test_warming_tells_what_will_not_work(project):
    project.layout.network("image").unlink()
    service = Service(project.layout, "drsl-c", 0)
    assert service.warm() == []
    (trouble,) = service.warm_pictures()
    assert trouble.startswith("no search with new pictures: models/squares/image.safetensors")
    project.layout.network("text").unlink()
    (trouble,) = service.warm()
    assert trouble.startswith("no search with words: models/squares/text.safetensors")
    with pytest.raises(MissingFile, match="drsl fit -d squares"):
        Service(project.layout, "drsl-c", 5).warm()
    with pytest.raises(SettingError, match="did you mean"):
        Service(project.layout, "drsl-x", 0)


def test_a_port_in_use_is_told():
    with listen("127.0.0.1", 0) as first, pytest.raises(SettingError, match="--port"):
        listen("127.0.0.1", first.getsockname()[1])
    with pytest.raises(SettingError, match="cannot listen"):
        listen("192.0.2.1", 0)


def test_memory_has_a_limit(project, monkeypatch):
    monkeypatch.setattr("drsl.search.shelf._KEPT", 3)
    service = service_module.Service(project.layout, "drsl-c", 0)
    for split in ("test", "val", "train", "all"):
        service.ask("rose", words="rose", split=split)
    assert len(service._shelf._kept) == 3
