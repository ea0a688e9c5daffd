"""`rag-app chat`: a conversation in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from rag_app.cli.options import Config, DataDir, Profile, Tenant, opened
from rag_app.errors import unknown_name

if TYPE_CHECKING:
    from llama_index.core.llms import ChatMessage

    from rag_app.app import RagApp
    from rag_app.schema import Answer

COMMANDS = {
    "/stages": "how the last answer's chunks came in, stage by stage",
    "/new": "a new conversation",
    "/quit": "the end; so is Ctrl-D",
}


def chat(tenant: Tenant, profile: Profile = None, config: Config = None, data_dir: DataDir = None) -> None:
    """Answer questions from a tenant's documents, one a line; questions may also come from a pipe."""
    with opened(profile, config, data_dir) as application:
        application.warm_up()
        if sys.stdin.isatty():
            typer.echo(
                f"{application.chat.llm} answers. " + "; ".join(f"{name}: {about}" for name, about in COMMANDS.items())
            )
        converse(application, tenant, _lines())


def converse(application: RagApp, tenant: str, lines: Iterator[str]) -> None:
    """Answer each line in one conversation, and follow the commands among them.

    Raises:
        InvalidInputError: `tenant` can not be a name.
    """
    from llama_index.core.llms import ChatMessage, MessageRole

    history: list[ChatMessage] = []
    last: Answer | None = None
    for line in lines:
        if line == "/quit":
            return
        if line == "/new":
            history, last = [], None
        elif line == "/stages":
            typer.echo(_stages(last) if last is not None else "nothing was answered yet")
        elif line.startswith("/"):
            typer.echo(unknown_name("command", line.split()[0], COMMANDS))
        elif line:
            last = answer_aloud(application, tenant, line, history)
            history.append(ChatMessage(role=MessageRole.USER, content=line))
            history.append(ChatMessage(role=MessageRole.ASSISTANT, content=last.text))


def answer_aloud(application: RagApp, tenant: str, question: str, history: list[ChatMessage]) -> Answer:
    """Print an answer while it is written, then its sources; return it."""
    from rag_app.schema import Answer, Delta, Retrieved
    from rag_app.schema.terminal import isolated, plain

    for event in application.stream_answer(question, tenant=tenant, history=history):
        if isinstance(event, Retrieved) and event.question != question:
            typer.echo(f"(read as: {isolated(event.question)})")
        elif isinstance(event, Delta):
            typer.echo(plain(event.text), nl=False)
        elif isinstance(event, Answer):
            answer = event
    typer.echo("")
    for number in answer.citations:
        metadata = answer.retrieved.result.nodes[number - 1].node.metadata
        typer.echo(f"  [{number}] {isolated(metadata['doc_id'])}  {isolated(metadata['title'])}")
    if answer.outcome not in ("answered", "no context"):
        typer.echo(f"  {answer.llm} failed: {answer.outcome}", err=True)
    return answer


def _stages(answer: Answer) -> str:
    from rag_app.cli.render import render_explanation
    from rag_app.schema.terminal import isolated, render_summary

    retrieved = answer.retrieved
    return "\n".join(
        [
            f"question {isolated(retrieved.question)}: {isolated(retrieved.question_reason)}",
            render_explanation(retrieved.result),
            render_summary(retrieved.result),
        ]
    )


def _lines() -> Iterator[str]:
    """Yield what is typed, or comes from a pipe, line by line."""
    if not sys.stdin.isatty():
        yield from map(str.strip, sys.stdin)
        return
    while True:
        try:
            yield input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            typer.echo("")
            return
