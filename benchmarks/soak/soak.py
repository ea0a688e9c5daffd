"""The whole product as real processes under a realistic load, while one part after the other fails.

PostgreSQL, Redis, two web processes on one port and a worker serve two hundred tenants. Clients ask for context and for
answers, store and delete documents. README.md says what is disturbed, and what counts as available.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

BENCHMARKS = Path(__file__).parents[1]
sys.path.append(str(BENCHMARKS / "tenants"))

from disturbances import Stage  # noqa: E402
from figures import figures_of, missed, shown  # noqa: E402
from ingesting import text  # noqa: E402
from ledger import INSTITUTE, Ledger, fill  # noqa: E402
from parts import Postgres, Redis, Web, Worker  # noqa: E402
from picture import plot  # noqa: E402
from proxy import Proxy  # noqa: E402
from queueing import Queueing  # noqa: E402
from traffic import CALM, Client, Disturbed, Scene  # noqa: E402
from watching import Watch  # noqa: E402

from rag_app import RagApp  # noqa: E402
from rag_app.flags.redis_store import RedisFlagStore  # noqa: E402
from rag_app.storage import KeyStore  # noqa: E402

DISK = "size=400m"


@dataclass(frozen=True)
class Plan:
    """How much, and how long.

    Attributes:
        minutes: how long the load lasts.
        tenants: how many there are; `institute` of them hold the sample knowledge base.
        pause_s: the mean pause of a client between two requests.
        disturbances: names of those that are to happen; all if empty.
    """

    minutes: float = 20
    tenants: int = 200
    institute: int = 8
    clients: int = 8
    pause_s: float = 1.0
    processes: int = 2
    seed: int = 0
    disturbances: tuple[str, ...] = ()


@contextmanager
def own_disk(folder: Path) -> Iterator[bool]:
    """Give a folder a small file system of its own for the block; False where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode == 0  # noqa: S603
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)  # noqa: S603, S607


def save_model(folder: Path) -> Path:
    """Save a small cross-encoder of random weights, and return its folder."""
    sys.path.append(str(BENCHMARKS.parent))
    folder.mkdir()
    saved: Path = import_module("tests.models").save_cross_encoder(folder, [text(number, 0) for number in range(20)])
    return saved


def soak(plan: Plan, folder: Path) -> tuple[dict[str, Any], Scene, Watch]:
    """Set everything up, load and disturb it, and judge what is left."""
    rng = random.Random(plan.seed)  # noqa: S311 - no secret
    folder.chmod(0o755)  # PostgreSQL has a user of its own, where this is root
    with ExitStack() as ending:
        disk = folder / "disk"
        mounted = ending.enter_context(own_disk(disk))
        data = disk / "postgres"
        data.mkdir()
        logs = folder / "logs"
        logs.mkdir()
        postgres = Postgres(data, logs / "postgres.log")
        ending.callback(postgres.kill)
        postgres.start()
        redis = Redis(folder)
        ending.callback(redis.kill)
        redis.start()
        proxy = ending.enter_context(Proxy(postgres.port))
        model, broker = save_model(folder / "model"), f"redis+socket://{redis.socket}"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAG_APP_")},
            "DATABASE_URL": postgres.url(proxy.port),
            "RAG_APP_CACHE_DIR": str(folder / "cache"),
            "RAG_APP_RERANK__KIND": "cross_encoder",
            "RAG_APP_RERANK__MODEL": str(model),
            "RAG_APP_RERANK__RETRY_AFTER_S": "5",
            "RAG_APP_FLAGS__BACKEND": "redis",
            "RAG_APP_FLAGS__REDIS_URL": f"unix://{redis.socket}",
            "RAG_APP_SERVER__REQUESTS_PER_MINUTE": "1000000",
            "RAG_APP_WORKER__BROKER_URL": broker,
            "RAG_APP_WORKER__VISIBILITY_TIMEOUT_S": "10",
            "OMP_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",  # as in the container
        }
        ledger = Ledger()
        app = ending.enter_context(RagApp.from_config(database={"url": postgres.url()}))
        made_up, institute = fill(app, plan.tenants, plan.institute, ledger)
        keys = {tenant: KeyStore(app.database).create(tenant)[1] for tenant in (*made_up, *institute)}
        web, worker = Web(folder, environment, plan.processes), Worker(folder, environment)
        for part in (web, worker):
            ending.callback(part.kill)
            part.start()
        print("set up; the load begins", file=sys.stderr, flush=True)
        lines = (INSTITUTE / "questions.jsonl").read_text("utf-8").splitlines()
        scene = Scene(
            web.url, keys, made_up, institute, [json.loads(line)["text"] for line in lines], ledger, plan.pause_s
        )
        watch = Watch({"web": web.servers, "worker": worker.processes}, web.cached)
        flags = RedisFlagStore(f"unix://{redis.socket}")
        queueing = Queueing(broker, made_up, ledger)
        stage = Stage(postgres, redis, web, worker, proxy, model, disk if mounted else None, flags, _seconds(plan), rng)
        asyncio.run(_run(plan, scene, watch, stage, queueing))
        queueing.finish(120)
        report = {
            **figures_of(scene.asked),
            "minutes": plan.minutes,
            "acknowledged": dict(ledger.acknowledged),
            "queue_refused": queueing.refused,
            "wrong": [*queueing.failed, *ledger.wrong(app)],
            "growth": watch.growth(),
            "not_done": [*_not_done(plan, scene, stage), *watch.not_judged()],
            "ended": [part.name for part in (postgres, redis, web, worker) if not part.runs],
        }
        report["missed"] = missed(report)
        web.stop()
        worker.stop()
    return report, scene, watch


def _seconds(plan: Plan) -> float:
    """Return how long a disturbance lasts; as long again is left for what comes after it."""
    return min(30.0, plan.minutes * 60 / (2 * (len(plan.disturbances) or 12) + 6))


def _not_done(plan: Plan, scene: Scene, stage: Stage) -> list[str]:
    """Return what was to happen and did not."""
    wanted = plan.disturbances or [*(each.name for each in stage.disturbances()), "disk full"]
    happened = {each.name for each in scene.disturbed}
    return [f"{name} did not happen" for name in dict.fromkeys(wanted) if name not in happened]


async def _run(plan: Plan, scene: Scene, watch: Watch, stage: Stage, queueing: Queueing) -> None:
    until = time.monotonic() + plan.minutes * 60
    clients = [asyncio.create_task(Client(scene, seed, plan.clients).run()) for seed in range(plan.clients)]
    beside = [asyncio.create_task(watch.run(until)), asyncio.create_task(queueing.run(until))]
    await _disturb(plan, scene, stage, until)
    scene.over = True
    await asyncio.gather(*clients, *beside)


async def _disturb(plan: Plan, scene: Scene, stage: Stage, until: float) -> None:
    """Have one after the other, with calm before and after each round; only the first round replaces processes.

    The first round is had whole, however long a slow machine takes for it.
    """
    first = True
    listed = [each for each in stage.disturbances() if not plan.disturbances or each.name in plan.disturbances]
    while time.monotonic() < until:
        scene.during = CALM
        await asyncio.sleep(2 * stage.seconds)
        for each in listed:
            if not first and time.monotonic() + 3 * stage.seconds > until:
                break
            scene.during, began = each.name, time.monotonic() - scene.started
            print(f"{began:6.0f} s  {each.name}", file=sys.stderr, flush=True)
            await asyncio.to_thread(each.begin)
            await asyncio.sleep(stage.seconds)
            await asyncio.to_thread(each.end)
            scene.disturbed.append(Disturbed(each.name, began, time.monotonic() - scene.started))
            await asyncio.sleep(stage.seconds)
        else:
            first, listed = False, [each for each in listed if not each.replaces]
            continue
        break
    scene.during = CALM
    await asyncio.sleep(max(0.0, until - time.monotonic()))


def main() -> None:
    """Measure, and exit with 1 if a bar is missed or anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--tenants", type=int, default=200)
    parser.add_argument("--institute", type=int, default=8, help="how many of them hold the sample knowledge base")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds between two requests of a client")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], help="names of disturbances")
    parser.add_argument("--json", type=Path, help="a file to write the figures into")
    parser.add_argument("--plot", type=Path, help="a picture to draw")
    given = parser.parse_args()
    plan = Plan(
        minutes=given.minutes,
        tenants=given.tenants,
        institute=given.institute,
        clients=given.clients,
        pause_s=given.pause,
        seed=given.seed,
        disturbances=tuple(given.only),
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))  # and with it all that it started
    folder = Path(mkdtemp(prefix="soak-"))
    report, scene, watch = soak(plan, folder)
    print(shown(report))
    if given.json is not None:
        report["asked"] = [asdict(asked) for asked in scene.asked]
        report["disturbed"] = [asdict(disturbed) for disturbed in scene.disturbed]
        report["samples"] = watch.samples
        given.json.write_text(json.dumps(report, ensure_ascii=False), "utf-8")
    if given.plot is not None:
        plot(scene, watch, given.plot)
    if report["missed"]:
        sys.exit(f"missed: {'; '.join(report['missed'])}; the logs are in {folder}")
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
