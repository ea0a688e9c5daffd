"""The rerankers of stage 3: the one that the settings name, and those that serve when it fails."""

from __future__ import annotations

from llama_index.core.postprocessor.types import BaseNodePostprocessor

from rag_app.config import Settings
from rag_app.cross_encoder import EngineOptions
from rag_app.kinds import open_own
from rag_app.postprocessors import CrossEncoderRerank, LexicalRerank

_NO_LIMIT = 1_000_000  # rerankers order what fusion gives them, however many a flag asks for


def rerankers_of(settings: Settings) -> dict[str, BaseNodePostprocessor]:
    """Return the rerankers by name, in the order in which they stand in for each other.

    Raises:
        ConfigurationError: one of one's own can not be made.
    """
    options = settings.rerank
    lexical = {"lexical": LexicalRerank(top_n=_NO_LIMIT)}
    if options.kind == "none":
        return {}
    if options.kind == "lexical":
        return {**lexical}
    if options.kind == "cross_encoder":
        model = CrossEncoderRerank(
            options.model,
            top_n=_NO_LIMIT,
            precision=options.precision,
            device=options.device,
            max_length=options.max_length,
            options=EngineOptions(options.load_timeout_s, options.retry_after_s, options.cache_size),
        )
        return {"cross_encoder": model, **lexical}
    own: BaseNodePostprocessor = open_own("rerank", options.kind, options.options, BaseNodePostprocessor)
    return {options.kind.rpartition(":")[2]: own, **lexical}
