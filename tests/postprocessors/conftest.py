from __future__ import annotations

from pathlib import Path

import pytest
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore

from rag_app import RagApp
from rag_app.gemini import render_chunk
from rag_app.postprocessors import (
    CrossEncoderRerank,
    Deduplication,
    LexicalRerank,
    ParentExpansion,
    TokenBudgetPostprocessor,
)
from rag_app.schema import RetrievalQuery, TokenBudget
from rag_app.storage import ChunkReader
from rag_app.tokens import EstimatedTokenCounter
from tests.conftest import SAMPLE_TENANT

POSTPROCESSORS = ("cross_encoder", "lexical", "deduplication", "parent_expansion", "token_budget")


@pytest.fixture(scope="session")
def postprocessors(app: RagApp, cross_encoder_folder: Path) -> dict[str, BaseNodePostprocessor]:
    """One of every postprocessor."""
    return {
        "cross_encoder": CrossEncoderRerank(str(cross_encoder_folder)),
        "lexical": LexicalRerank(),
        "deduplication": Deduplication(),
        "parent_expansion": ParentExpansion(ChunkReader(app.database), app.loop),
        "token_budget": TokenBudgetPostprocessor(EstimatedTokenCounter(), render_chunk, budget=TokenBudget(300, 0)),
    }


@pytest.fixture(params=POSTPROCESSORS)
def postprocessor(
    request: pytest.FixtureRequest, postprocessors: dict[str, BaseNodePostprocessor]
) -> BaseNodePostprocessor:
    """Every postprocessor, one after the other."""
    return postprocessors[request.param]


@pytest.fixture
def query(app: RagApp) -> RetrievalQuery:
    """A question about the sample knowledge base."""
    return RetrievalQuery("هزینه ارسال کتاب چقدره؟", tenant=SAMPLE_TENANT, generation=1)


@pytest.fixture
def candidates(app: RagApp, query: RetrievalQuery) -> list[NodeWithScore]:
    """What retrieval finds for it."""
    return app.pipeline.retriever.retrieve(query)
