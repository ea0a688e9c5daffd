"""Whether everything works together: what `doctor` looks at, and then the calls of a chat backend for real."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rag_app.app import RagApp
from rag_app.config import Settings
from rag_app.doctor import TROUBLESHOOTING, Check, examine
from rag_app.errors import ConfigurationError, RagAppError
from rag_app.reranker import CrossEncoderReranker
from rag_app.schema import RetrievalResult
from rag_app.serving import Method

QUESTIONS = ("بورسیه دارین؟", "hazine ersal cheghadre", "شرايط مرجوع كردن كالا")
_DOCUMENTS = (
    ("manual", "بورسیه", "به دانش‌آموزان ممتاز تا پنجاه درصد بورسیه تعلق می‌گیرد."),
    ("faq", "هزینه ارسال", "هزینه ارسال به سراسر کشور پنجاه هزار تومان است."),
    ("faq", "مرجوع کردن کالا", "کالا را تا هفت روز پس از تحویل می‌توانید مرجوع کنید."),
    ("manual", "ساعت کار", "پشتیبانی هر روز از ساعت نه تا هفده پاسخ می‌دهد."),
)
_PAIR = ({"content": "قیمت مناسب"}, {"content": "ما بورسیه داریم"})


@dataclass(frozen=True)
class SideBySide:
    """One question answered by both retrievers."""

    question: str
    old: RetrievalResult
    new: RetrievalResult


@dataclass(frozen=True)
class Verification:
    """What was found, and the retrievers compared."""

    checks: tuple[Check, ...]
    compared: tuple[SideBySide, ...]

    @property
    def passed(self) -> bool:
        """Tell whether nothing is wrong; a warning is not."""
        return all(check.state != "problem" for check in self.checks)


def verify(settings: Settings, *, tenant: str | None = None, questions: Sequence[str] = ()) -> Verification:
    """Check packages, model and database, then rerank, retrieve by both retrievers, and read the flags.

    Args:
        settings: what the application is opened with.
        tenant: whose documents to search; else some of our own, under a tenant that is made up and removed again.
        questions: what to ask; else three questions, which fit the documents of our own.

    Raises:
        InvalidInputError: `tenant` can not be a name.
    """
    checks = list(examine(settings, tenant=tenant))
    compared: list[SideBySide] = []
    try:
        with RagApp(settings) as app:
            app.warm_up()
            checks.append(_reranked(settings))
            with _documents_of(app, tenant) as searched:
                compared += [_asked(app, question, searched) for question in questions or QUESTIONS]
                answered = _answered(app, (*questions, *QUESTIONS)[0], searched)
            checks += [_retrieved(method, compared) for method in ("context_retriever", "production_rag")]
            checks.append(answered)
            checks.append(_flags(app))
    except RagAppError as error:
        checks.append(Check("application", "problem", str(error)))
    return Verification(tuple(checks), tuple(compared))


@contextmanager
def _documents_of(app: RagApp, tenant: str | None) -> Iterator[str]:
    """Name the tenant to search; one that is made up has documents for the block alone."""
    if tenant is not None:
        yield tenant
        return
    own = f"rag_app.verify.{uuid.uuid4().hex}"
    records = [
        {"id": str(place), "source": source, "title": title, "text": text}
        for place, (source, title, text) in enumerate(_DOCUMENTS)
    ]
    try:
        app.ingest(records, tenant=own)
        yield own
    finally:
        for record in records:
            app.delete(record["id"], tenant=own)


def _reranked(settings: Settings) -> Check:
    options = settings.rerank
    reranker = CrossEncoderReranker(options.model, precision=options.precision, device=options.device)
    try:
        loaded = reranker.model is not None
        best = reranker.rerank(QUESTIONS[0], _PAIR, top_k=1)[0]
        status = reranker.status()
    finally:
        reranker.close()
    finding = f"{best['reranker']} put {best['content']!r} first, with a score of {best['score']:.3f}"
    if loaded:
        return Check("reranker", "ok", f"{options.model} is loaded; {finding}")
    finding = f"{options.model} is not loaded ({status.error}); {finding}"
    if options.kind != "cross_encoder":
        return Check("reranker", "ok", f"{finding}; rerank.kind is {options.kind}, which does without it")
    return Check("reranker", "problem", finding, TROUBLESHOOTING["the model does not download"])


def _asked(app: RagApp, question: str, tenant: str) -> SideBySide:
    def ask(method: Method) -> RetrievalResult:
        app.retrieve(question, tenant=tenant, method=method)  # what loads on first use is not what is compared
        return app.retrieve(question, tenant=tenant, method=method)

    return SideBySide(question, ask("context_retriever"), ask("production_rag"))


def _retrieved(method: str, compared: Sequence[SideBySide]) -> Check:
    results = [pair.new if method == "production_rag" else pair.old for pair in compared]
    empty = [result for result in results if not result.nodes]
    degraded = sorted({f"{entry.component}: {entry.reason}" for one in results for entry in one.trace.degradations})
    slowest = max(result.trace.total_ms for result in results)
    finding = f"{len(results) - len(empty)} of {len(results)} questions have chunks, the slowest in {slowest:.0f} ms"
    if empty:
        return Check(method, "problem", f"{finding}; {empty[0].reason}", TROUBLESHOOTING["no chunks retrieved"])
    if degraded:
        return Check(method, "warning", f"{finding}; degraded by {', '.join(degraded)}")
    return Check(method, "ok", finding)


def _answered(app: RagApp, question: str, tenant: str) -> Check:
    try:
        answer = app.answer(question, tenant=tenant)
    except ConfigurationError as error:
        return Check("answer", "warning", f"no LLM was asked: {error}")
    finding = f"{answer.llm} gave {len(answer.text)} characters with {len(answer.citations)} citations"
    if answer.outcome == "answered":
        return Check("answer", "ok", finding)
    if answer.outcome == "no context":
        return Check("answer", "warning", f"{answer.llm} was not asked, for no chunk was found")
    return Check("answer", "problem", f"{answer.llm} failed: {answer.outcome}", "look at llm.* in the settings")


def _flags(app: RagApp) -> Check:
    flags = app.flags.all()
    told = ", ".join(f"{name} {flag['value']}{' (set)' if flag['set'] else ''}" for name, flag in flags.items())
    failing = [name for name, flag in flags.items() if flag["reason"] in ("STALE", "ERROR")]
    if failing:
        return Check("flags", "problem", f"their store does not answer; last known: {told}")
    return Check("flags", "ok", told)
