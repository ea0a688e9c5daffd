"""The main job, for real: the sample institute's knowledge base in, Gemini-ready context out."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

from rag_app import RagApp
from rag_app.cli.chat import converse
from rag_app.cli.render import render_explanation
from rag_app.cross_encoder import find_model
from rag_app.errors import ComponentError
from rag_app.schema.terminal import render_result, render_summary

INSTITUTE = Path(__file__).parent / "institute"
TENANT = "avanema"
ASKED = ("q01", "q02", "q03", "q04", "q05", "q06", "q07", "q08", "q09", "q10")
CONVERSATION = ("دورهٔ آیلتس دارین؟", "شهریه‌ش چقدره؟")

NEXT = """
What to do next
  rag-app ingest FOLDER --tenant my-shop             your own .txt, .md, .jsonl and FAQ .csv files
  rag-app retrieve "سوال" --tenant my-shop --explain  how each chunk came in, or why it was dropped
  rag-app chat --tenant my-shop                      answers in the terminal, with their sources
  rag-app --help                                     every command
  README.md                                          the same in ten lines of Python
(The command is in .venv/bin, where `. .venv/bin/activate` has it found. It stores under .rag_app here; another place:
--data-dir DIR, or DATABASE_URL.)"""


def main(data_dir: Path, model: str | None = None) -> None:
    """Ingest the sample, ask ten questions, show one of them in full, and hold a short conversation.

    Rerank with `model`, or one that is here.
    """
    logging.basicConfig(level=logging.WARNING)
    lines = (INSTITUTE / "questions.jsonl").read_text("utf-8").splitlines()
    questions = {entry["id"]: entry for entry in map(json.loads, lines)}
    rerank, why = choose_reranker(model)
    with RagApp.from_config(data_dir=data_dir, rerank=rerank) as app:
        print(why)
        for status in app.warm_up():
            print(
                f"{status.model} is loaded in {status.load_seconds:.1f} s: {status.precision} on {status.device}, "
                f"{status.megabytes:.0f} MB; {status.why}"
                if status.state == "ready"
                else f"{status.model} can not be used, so the lexical reranker serves: {status.error}"
            )
        report = app.ingest(INSTITUTE / "documents", tenant=TENANT)
        print(
            f"Ingested {INSTITUTE.name}: {report.added} documents added, {report.unchanged} unchanged, "
            f"{report.chunks} chunks written, {len(report.skipped)} skipped, in {report.seconds:.1f} s\n"
        )
        for question_id in ASKED:
            question = questions[question_id]
            result = app.retrieve(
                question["text"],
                tenant=TENANT,
                primary_source=question["primary_source"],
                secondary_sources=question["secondary_sources"],
            )
            print(f"── {question['kind']}: \u2068{question['text']}\u2069")
            for place, scored in enumerate(result.nodes, start=1):
                text = " ".join(scored.node.get_content().split())
                doc_id = scored.node.metadata["doc_id"]
                expected = "✓" if doc_id in question["relevant"] else " "
                print(f"   {expected} [{place}] {scored.score or 0:.3f} {doc_id}  \u2068{text[:60]}…\u2069")
            print(f"   {render_summary(result)}\n")
        first = questions[ASKED[0]]
        result = app.retrieve(first["text"], tenant=TENANT)
        print(f"══ The first question over all sources, in full\n{render_result(result)}\n")
        print(f"══ How each chunk came in, or why it was dropped\n{render_explanation(result)}\n")
        print(f"══ The context, ready for Gemini\n{result.context}")
        print(f"══ A conversation, answered by {app.chat.llm}")
        converse(app, TENANT, map(asked, CONVERSATION))
    print(NEXT)


def asked(question: str) -> str:
    """Print a question of the conversation and return it."""
    print(f"> \u2068{question}\u2069")
    return question


def choose_reranker(model: str | None) -> tuple[dict[str, Any], str]:
    """Return settings for the cross-encoder that is asked for or is on this machine, else for the lexical reranker."""
    for name in [model] if model else ["multilingual", "base", "large"]:
        try:
            return {"kind": "cross_encoder", "model": name}, f"Reranker: the cross-encoder in {find_model(name)}"
        except ComponentError as error:
            why = f"Reranker: lexical, for the cross-encoder {name!r} is not at hand: {error}"
    return {"kind": "lexical"}, why


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path(".rag_app"), help="where the embedded database lives")
    parser.add_argument("--model", help="a cross-encoder: a folder, an alias or the id of one in the hub's cache")
    arguments = parser.parse_args()
    main(arguments.data_dir, arguments.model)
