"""Clients that ask, store and delete as a chat backend's do, and note how each request went."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
from ingesting import SHARED, record
from ledger import Ledger, chosen

DEADLINE_S = 2.0
GRACE_S = 0.5  # for the way there and back, and clients on the same processors
WRITE_S = 30.0
MIX = {"retrieve": 55, "chat": 25, "store": 10, "delete": 5, "list": 5}  # parts of 100
QUESTIONS = ("retrieve", "chat")
CALM = "calm"
RETRY_LATER = {429: "refused", 503: "unavailable"}

_NONE: tuple[str, ...] = ()
How = Literal["answered", "refused", "unavailable", "late", "cut", "wrong"]


@dataclass(frozen=True)
class Asked:
    """How one request went.

    Attributes:
        at: when it was sent, in seconds since the start.
        kind: what was asked.
        how: "answered" well-formed and in time; "refused" by 429 and "unavailable" by 503, both with Retry-After;
            "late"; "cut", the connection broke; "wrong", anything else.
        what: the error, if any.
        during: the disturbance that was going on.
        degraded: the reasons, if it is a degraded answer.
        chunks: how many chunks an answer rests on; None for other requests.
    """

    at: float
    kind: str
    how: How
    ms: float
    during: str
    what: str = ""
    degraded: tuple[str, ...] = ()
    chunks: int | None = None


@dataclass(frozen=True)
class Disturbed:
    """When a disturbance began and when it was over, in seconds since the start."""

    name: str
    began: float
    ended: float


@dataclass
class Scene:
    """What the clients share.

    Attributes:
        during: the disturbance that is going on, by its name; `CALM` for none.
        disturbed: those that are over.
    """

    url: str
    keys: Mapping[str, str]
    made_up: Sequence[str]
    institute: Sequence[str]
    questions: Sequence[str]
    ledger: Ledger
    pause_s: float
    during: str = CALM
    asked: list[Asked] = field(default_factory=list)
    disturbed: list[Disturbed] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    over: bool = False


class Client:
    """One client, which sends a request after the other with pauses between."""

    def __init__(self, scene: Scene, seed: int, clients: int) -> None:
        self._scene = scene
        self._rng = random.Random(seed)  # noqa: S311 - no secret
        self._http = httpx.AsyncClient(base_url=scene.url, timeout=WRITE_S + 10, trust_env=False)
        self._writing = [tenant for place, tenant in enumerate(scene.made_up) if place % clients == seed]  # each by one

    async def run(self) -> None:
        """Ask until it is over."""
        async with self._http:
            while not self._scene.over:
                await self._one()
                await asyncio.sleep(self._scene.pause_s * self._rng.uniform(0.5, 1.5))

    async def _one(self) -> None:
        kind = self._rng.choices(list(MIX), list(MIX.values()))[0]
        if kind == "store":
            await self._store()
        elif kind == "delete":
            await self._delete()
        elif kind == "list":
            await self._send("list", self._tenant(), "GET", "/v1/documents", params={"limit": 20})
        else:
            tenant = self._tenant()
            question = self._question(tenant)
            body = {"query": question} if kind == "retrieve" else {"question": question}
            await self._send(kind, tenant, "POST", f"/v1/{kind}", json=body)

    def _tenant(self) -> str:
        of_institute = self._rng.random() < 0.3
        return chosen(self._scene.institute if of_institute else self._scene.made_up, self._rng)

    def _question(self, tenant: str) -> str:
        if tenant in self._scene.institute:
            return self._rng.choice(self._scene.questions)
        return f"{SHARED} سند {self._rng.randrange(60)}"

    async def _store(self) -> None:
        """Write a new document, or one of this client's anew."""
        tenant = chosen(self._writing, self._rng)
        ledger = self._scene.ledger
        own = ledger.own_documents(tenant)
        doc_id = self._rng.choice(own) if own and self._rng.random() < 0.4 else f"d{ledger.new_document()}"
        version = ledger.after[tenant].get(doc_id, -1) + 1
        document = record(int(doc_id[1:]), version)
        asked = await self._send("store", tenant, "POST", "/v1/documents", json={"documents": [document]})
        self._note(asked, tenant, doc_id, version)

    async def _delete(self) -> None:
        tenant = chosen(self._writing, self._rng)
        own = self._scene.ledger.own_documents(tenant)
        if len(own) > 1:
            doc_id = self._rng.choice(own)
            self._note(await self._send("delete", tenant, "DELETE", f"/v1/documents/{doc_id}"), tenant, doc_id, None)

    def _note(self, asked: Asked, tenant: str, doc_id: str, version: int | None) -> None:
        if asked.how != "refused":
            done = asked.how in ("answered", "late")
            self._scene.ledger.written(tenant, doc_id, version, acknowledged=done, kind=asked.kind)

    async def _send(self, kind: str, tenant: str, method: str, path: str, **body: Any) -> Asked:
        scene, during = self._scene, self._scene.during
        at, started = time.monotonic() - scene.started, time.perf_counter()
        headers = {"Authorization": f"Bearer {scene.keys[tenant]}"}
        how: How
        what, degraded, chunks = "", _NONE, None
        try:
            answer = await self._http.request(method, path, headers=headers, **body)
        except httpx.TimeoutException as error:
            how, what = "late", type(error).__name__
        except httpx.HTTPError as error:
            how, what = "cut", type(error).__name__
        else:
            how, what, degraded, chunks = judged(kind, answer)
        ms = (time.perf_counter() - started) * 1000
        if how == "answered" and ms > 1000 * ((DEADLINE_S if kind in QUESTIONS else WRITE_S) + GRACE_S):
            how, what = "late", "after the deadline"
        if how == "cut" or during == CALM:
            during = scene.during  # it may have begun after the request
        asked = Asked(at, kind, how, ms, during, what, degraded, chunks)
        scene.asked.append(asked)
        if how in ("refused", "unavailable"):
            await asyncio.sleep(1)
        return asked


def judged(kind: str, answer: httpx.Response) -> tuple[How, str, tuple[str, ...], int | None]:
    """Return how an answer is to be taken, what is wrong with it, its degradations and its chunks."""
    status = answer.status_code
    if status in RETRY_LATER and "Retry-After" in answer.headers:
        how: How = "refused" if status == httpx.codes.TOO_MANY_REQUESTS else "unavailable"
        return how, f"{status} {answer.json()['error']['code']}", (), None
    if status != httpx.codes.OK:
        return "wrong", f"{status} {kind}", (), None
    try:
        if kind not in QUESTIONS:
            return _judged_documents(kind, answer.json())
        result = answer.json() if kind == "retrieve" else _result_of(answer.text)
        reasons = {
            f"{entry['stage']}: {entry['component']}: {entry['reason']}" for entry in result["trace"]["degradations"]
        }
        if result["degraded"] and not reasons:
            reasons = {"no reason"}
        return "answered", "", tuple(sorted(reasons)), len(result["chunks"])
    except (KeyError, ValueError) as error:
        return "wrong", f"{kind} is not well-formed: {type(error).__name__}", (), None


def _judged_documents(kind: str, body: Mapping[str, Any]) -> tuple[How, str, tuple[str, ...], int | None]:
    if kind == "store" and (body["skipped"] or body["added"] + body["updated"] + body["unchanged"] != 1):
        return "wrong", "store: skipped", (), None
    if kind == "delete" and body["deleted"] is not True:
        return "wrong", "delete: nothing", (), None
    return "answered", "", (), None


def _result_of(events: str) -> dict[str, Any]:
    """Return the result that a streamed answer rests on, if it came to its end."""
    lines = [event.split("\n") for event in events.strip().split("\n\n")]
    told = {name.removeprefix("event: "): data.removeprefix("data: ") for name, data in lines}
    if "text" not in json.loads(told["done"]):
        raise ValueError("no text")
    result: dict[str, Any] = json.loads(told["retrieval"])["result"]
    return result
