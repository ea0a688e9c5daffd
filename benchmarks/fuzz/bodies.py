"""Hostile requests to the HTTP API: bodies nearly as asked for, and bodies that are nothing of the kind."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes

from hostile_files import SEEDS, hostile_file
from hostile_texts import hostile_json, hostile_text, hostile_value

_ASKED: dict[str, dict[str, Any]] = {
    "/v1/retrieve": {
        "query": "کی میرسه؟",
        "primary_source": "manual",
        "primary_budget": 800,
        "filters": {"title": "a"},
    },
    "/v1/chat": {"question": "چنده؟", "history": [{"role": "user", "content": "ارسال؟"}], "method": "production_rag"},
    "/v1/chat/completions": {
        "model": "x",
        "messages": [{"role": "user", "content": "ارسال؟"}, {"role": "assistant", "content": "بله [1]."}],
        "stream": True,
        "temperature": 0.5,
    },
    "/v1/documents": {"documents": [{"id": "a", "title": "t", "text": "متن", "source": "s", "metadata": {"a": 1}}]},
}


class Sent(NamedTuple):
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def hostile_request(choose: random.Random) -> Sent:
    """Return a request to any endpoint."""
    kind = choose.randrange(8)
    if kind == 0:
        return _upload(choose)
    if kind == 1:
        name = quote_from_bytes(hostile_text(choose, 100).encode("utf-8", "surrogatepass"), safe="")
        place = choose.choice((f"/{name}", f"?source={name}", f"?after={name}", f"?limit={name}", f"?{name}={name}"))
        return Sent(choose.choice(("GET", "DELETE")), f"/v1/documents{place}", {}, b"")
    path = choose.choice(list(_ASKED))
    body = json.loads(json.dumps(_ASKED[path]))
    _spoil(choose, body)
    content = hostile_json(choose, body).encode("utf-8", "surrogatepass")
    if kind == 2:
        content = choose.choice(
            (b"", b"null", b"[]", b"1" * 5000, b"[" * 100_000, b"\xff\xfe{}", b'"\\ud800"', content[:-1])
        )
    return Sent("POST", path, {"Content-Type": "application/json"}, content)


def _spoil(choose: random.Random, value: Any) -> None:
    """Put something hostile into an object or a list, or into what is in it."""
    places: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    place = choose.choice(places)
    if isinstance(value[place], dict | list) and value[place] and choose.random() < 0.7:
        _spoil(choose, value[place])
    elif isinstance(value, dict) and choose.random() < 0.2:
        value[hostile_text(choose, 20)] = hostile_value(choose, most=300)
    else:
        value[place] = choose.choice((hostile_text(choose, 2000), hostile_value(choose, most=300)))


def _upload(choose: random.Random) -> Sent:
    suffix = choose.choice([suffix for suffix in SEEDS if suffix not in (".pdf", ".docx")])
    _, content = hostile_file(choose, suffix)
    name = (
        hostile_text(choose, choose.choice((5, 300))).encode("utf-8", "replace").replace(b'"', b"").replace(b"\n", b"")
    )
    field = choose.choice((b"files", b"files", b"files", b"source", b"x"))
    head = b'Content-Disposition: form-data; name="%s"; filename="%s%s"' % (field, name, suffix.encode())
    body = b"--b\r\n%s\r\n\r\n%s\r\n%s" % (head, content, b"--b--\r\n")
    return Sent("POST", "/v1/documents/upload", {"Content-Type": "multipart/form-data; boundary=b"}, body)
