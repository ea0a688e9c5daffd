"""The dashboard as Grafana reads it: whole, and with every metric that there is."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

from rag_app.metrics import catalog
from tests.deploy.conftest import DEPLOY

TEXT = (DEPLOY / "grafana" / "rag_app.json").read_text("utf-8")
PANELS: list[dict[str, Any]] = json.loads(TEXT)["panels"]
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for one, other in combinations([panel["gridPos"] for panel in PANELS], 2):
        apart_in_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_in_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_in_x or apart_in_y, (one, other)
        assert one["x"] + one["w"] <= 24


def test_the_datasource_can_be_chosen() -> None:
    variables = {variable["name"]: variable for variable in json.loads(TEXT)["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    for panel in PANELS:
        for part in [panel, *panel.get("targets", [])] if panel["type"] != "row" else []:
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    used = set(re.findall(r"\$(?!__)\{?(\w+)", TEXT))
    assert used == set(variables)


def test_every_metric_is_shown_and_every_one_shown_exists() -> None:
    known = {instrument.name for instrument in catalog.INSTRUMENTS}
    queries = " ".join(target["expr"] for panel in PANELS for target in panel.get("targets", []))
    shown = {SUFFIX.sub("", name) for name in re.findall(r"\brag_\w+(?=[{\[)])", queries)}
    assert shown == known


def test_every_metric_of_the_alerts_exists() -> None:
    known = {instrument.name for instrument in catalog.INSTRUMENTS}
    rules = (DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8")
    named = {SUFFIX.sub("", name) for name in re.findall(r"\brag_(?!app)\w+", rules)}
    assert named <= known
