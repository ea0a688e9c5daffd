"""Requests that no client would send: none breaks the server, and none holds it up."""

import json
import random
import time
from pathlib import Path

import httpx
import pytest

FUZZ = Path(__file__).parent.parent.parent / "benchmarks" / "fuzz"


def test_whatever_a_body_holds_it_is_answered(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FUZZ)
    from bodies import hostile_request

    for number in range(120):
        sent = hostile_request(random.Random(number))
        answer = client.request(sent.method, sent.path, headers=sent.headers, content=sent.body)
        assert answer.status_code < 500, (number, sent.path, answer.text[:300])
        assert "event: error" not in answer.text, (number, answer.text[-300:])


def test_a_history_of_spaces_does_not_hold_up_other_requests(client: httpx.Client) -> None:
    spaces = "a" + " " * 400_000 + "b"
    turns = [{"role": "user", "content": "ارسال؟"}, {"role": "assistant", "content": spaces}]
    started = time.monotonic()
    answer = client.post("/v1/chat", json={"question": "هزینه‌ش چنده؟", "history": turns})
    assert answer.status_code == 200
    assert time.monotonic() - started < 20  # hours where each space was tried


@pytest.mark.parametrize("stream", [True, False])
def test_a_model_of_half_a_character_is_refused_before_the_answer_begins(client: httpx.Client, stream: bool) -> None:
    body = json.dumps({"model": "\ud800", "messages": [{"role": "user", "content": "a"}], "stream": stream})
    answer = client.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "model"
