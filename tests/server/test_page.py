from __future__ import annotations

import copy

import httpx

from tests.server.running import Running, running


def test_the_page_is_served_without_a_key(server: Running) -> None:
    with server.client() as client:
        page = client.get("/")
        assert page.headers["Content-Type"].startswith("text/html")
        assert 'dir="rtl"' in page.text
        assert page.text == client.get("/static/index.html").text
        for path in ("/static/../application.py", "/static/%2e%2e/application.py", "/static/..%2fapplication.py"):
            assert client.get(path).status_code == 404


def test_no_other_site_may_call_unless_it_is_named(server: Running, client: httpx.Client) -> None:
    ask = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    refused = client.options("/v1/chat", headers=ask)
    assert "Access-Control-Allow-Origin" not in refused.headers
    app = copy.copy(server.app)
    of_server = app.settings.server.model_copy(update={"cors_origins": ("https://shop.example",)})
    app.settings = app.settings.model_copy(update={"server": of_server})
    with running(app) as open_server, open_server.client() as other:
        headers = {**ask, "Access-Control-Request-Headers": "authorization,content-type"}
        allowed = other.options("/v1/chat", headers=headers)
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        failed = other.get("/v1/models", headers={"Origin": "https://shop.example"})
        assert failed.status_code == 401
        assert failed.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        foreign = other.get("/v1/models", headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in foreign.headers
