from __future__ import annotations

import httpx
import pytest

from tests.server.running import Running


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/retrieve", {"query": "ارسال"}),
        ("/v1/chat", {"question": "ارسال"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "ارسال"}]}),
    ],
)
def test_a_question_whose_turn_would_come_too_late_is_told_to_come_again(
    server: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, object]
) -> None:
    assert client.post(path, json=body).status_code == 200
    monkeypatch.setattr(server.app.service, "_waiting", 1000)
    monkeypatch.setattr(server.app.service, "_mean_s", 1.0)
    refused = client.post(path, json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
    assert int(refused.headers["Retry-After"]) >= 1
    assert client.get("/v1/documents").status_code == 200
