"""The calls that the existing backend makes, line for line, and what it may rely on."""

# fmt: off

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest

import rag_app
from rag_app import ContextRetriever, CrossEncoderReranker, FeatureFlags, ProductionRAG, RAGMetrics
from rag_app.context_result import ContextChunk, ContextResult, Performance
from rag_app.errors import ConfigurationError, InvalidInputError
from rag_app.process_app import close_default_app
from rag_app.users import tenant_of
from tests.conftest import INSTITUTE, heartbeat

user = SimpleNamespace(pk=42)


@pytest.fixture(scope="module")
def institute_url(new_database: Callable[[], str]) -> Iterator[str]:
    url = new_database()
    rag_app.configure(database={"url": url}, deadline_s=30, retrieval={"leg_timeout_s": 20}, flags={"refresh_s": 0.2})
    rag_app.default_app().ingest(INSTITUTE / "documents", tenant="42")
    yield url
    close_default_app()
    rag_app.process_app._settings = None


@pytest.fixture(autouse=True)
def _as_configured(institute_url: str) -> Iterator[None]:
    yield
    for name, told in FeatureFlags.get_all_flags().items():
        if told["set"]:
            FeatureFlags.unset_flag(name)


def ask(retrieve: Callable[..., Any]) -> Any:
    return retrieve(
        query='بورسیه دارین؟', user=user, primary_source='manual', secondary_sources=['faq'],
        primary_budget=800, secondary_budget=600)  # fmt: skip


def test_retrieval_line_for_line() -> None:
    result = ProductionRAG.retrieve_context(
        query='بورسیه دارین؟', user=user, primary_source='manual', secondary_sources=['faq'],
        primary_budget=800, secondary_budget=600)  # fmt: skip
    assert result['total_chunks'] == len(result['primary_context']) + len(result['secondary_context']) > 0
    assert result['retrieval_method'] == 'production_rag'
    assert result['performance']['latency_ms'] > 0
    for chunk in result['primary_context']:
        assert chunk['content']
        assert isinstance(chunk['score'], float)
        assert chunk['source'] == 'manual'
    assert {chunk['source'] for chunk in result['secondary_context']} == {'faq'}
    assert 'بورسیه' in result['context']
    assert result['total_tokens'] <= 1400


def test_the_old_retriever_takes_the_same_arguments_and_gives_the_same_keys() -> None:
    old, new = ask(ContextRetriever.retrieve_context), ask(ProductionRAG.retrieve_context)
    assert old['retrieval_method'] == 'context_retriever'
    assert old['total_chunks'] > 0
    assert old.keys() == new.keys() == get_type_hints(ContextResult).keys()
    assert old['performance'].keys() == new['performance'].keys() == get_type_hints(Performance).keys()
    assert old['primary_context'][0].keys() == new['primary_context'][0].keys() == get_type_hints(ContextChunk).keys()
    assert set(old['performance']['stages_ms']) == {'retrieval', 'context'}
    assert set(new['performance']['stages_ms']) == {'query_analysis', 'retrieval', 'rerank', 'context'}
    assert old['performance']['reranker'] is None
    assert old['total_tokens'] <= 1400


def test_reranking_line_for_line(cross_encoder_folder: Path) -> None:
    reranker = CrossEncoderReranker(model_name=str(cross_encoder_folder))
    assert reranker.model is not None
    results = reranker.rerank(
        query='بورسیه دارین؟', chunks=[{'content': 'ما بورسیه داریم'}, {'content': 'قیمت مناسب'}], top_k=2
    )
    assert all(isinstance(r['score'], float) for r in results)
    assert len(results) == 2
    reranker.close()


def test_reranking_without_the_model_line_for_line() -> None:
    reranker = CrossEncoderReranker(model_name='base')
    assert reranker.model is None  # there is none on this machine, and nothing is downloaded
    results = reranker.rerank(
        query='بورسیه دارین؟', chunks=[{'content': 'قیمت مناسب'}, {'content': 'ما بورسیه داریم'}], top_k=2
    )
    assert [r['content'] for r in results] == ['ما بورسیه داریم', 'قیمت مناسب']
    assert all(isinstance(r['score'], float) for r in results)
    reranker.close()


def test_flags_line_for_line() -> None:
    assert FeatureFlags.is_enabled('production_rag') is False
    FeatureFlags.set_flag('production_rag_rollout_percentage', 10, ttl=3600)
    assert FeatureFlags.get_value('production_rag_rollout_percentage') == 10
    FeatureFlags.set_flag('production_rag', True)
    assert FeatureFlags.is_enabled('production_rag') is True
    flags = FeatureFlags.get_all_flags()
    assert flags['production_rag']['enabled'] is True
    assert flags['production_rag_rollout_percentage']['value'] == 10
    assert {name: told['default'] for name, told in flags.items()}.items() >= {
        'production_rag': False, 'production_rag_rollout_percentage': 0, 'cross_encoder_reranking': True,
        'rerank_model': 'base', 'dense_top_k': 20, 'sparse_top_k': 15, 'fusion_top_k': 20, 'rerank_top_k': 8,
    }.items()  # fmt: skip


def test_metrics_line_for_line() -> None:
    before = RAGMetrics.get_cached_metrics()
    assert isinstance(before, dict)
    ask(ProductionRAG.retrieve_context)
    deadline = 20
    while RAGMetrics.get_cached_metrics() == before and deadline:
        deadline -= 1
        asyncio.run(asyncio.sleep(0.1))
    after = RAGMetrics.get_cached_metrics()
    assert after['production_rag']['requests'] == before['production_rag']['requests'] + 1
    assert b'rag_retrieval_total{method="production_rag",primary_source="manual"}' in RAGMetrics.exposition()


def test_the_flags_decide_which_pipeline_serves() -> None:
    assert ask(rag_app.retrieve_context)['retrieval_method'] == 'context_retriever'
    FeatureFlags.set_flag('production_rag', True)
    served = ask(rag_app.retrieve_context)
    assert served['retrieval_method'] == 'production_rag'
    assert (served['performance']['variant'], served['performance']['variant_reason']) == ('production_rag', 'STATIC')
    assert ask(ContextRetriever.retrieve_context)['retrieval_method'] == 'context_retriever'  # called by name
    FeatureFlags.set_flag('production_rag', False)
    assert ask(rag_app.retrieve_context)['retrieval_method'] == 'context_retriever'
    assert ask(ProductionRAG.retrieve_context)['retrieval_method'] == 'production_rag'


def test_a_share_of_the_users_is_sent_to_the_new_pipeline() -> None:
    FeatureFlags.set_flag('production_rag_rollout_percentage', 50)
    users = [SimpleNamespace(id=number) for number in range(40)]
    methods = {u.id: rag_app.retrieve_context('بورسیه', user=u)['retrieval_method'] for u in users}
    assert {'production_rag', 'context_retriever'} == set(methods.values())
    assert methods == {u.id: 'production_rag' if FeatureFlags.is_enabled('production_rag', user=u)
                       else 'context_retriever' for u in users}  # fmt: skip


def test_counts_and_the_reranker_follow_their_flags() -> None:
    FeatureFlags.set_flag('rerank_top_k', 2)
    assert ask(ProductionRAG.retrieve_context)['total_chunks'] == 2
    FeatureFlags.set_flag('dense_top_k', 3)
    FeatureFlags.set_flag('sparse_top_k', 4)
    FeatureFlags.set_flag('fusion_top_k', 5)
    result = rag_app.default_app().retrieve('شهریه کلاس انگلیسی ترم پاییز چقدر است', tenant='42')
    chunks = result.trace.chunks.values()
    assert sum('dense' in chunk.legs for chunk in chunks) == 3
    assert sum('bm25' in chunk.legs for chunk in chunks) == 4
    assert sum(chunk.rerank is not None for chunk in chunks) == min(5, len(chunks))
    assert len(result.nodes) <= 2


async def test_the_asynchronous_twins_do_the_same_and_leave_the_loop_free() -> None:
    arguments: dict[str, Any] = {'user': user, 'primary_source': 'manual', 'secondary_sources': ['faq']}
    async with heartbeat() as beats:
        new = await ProductionRAG.aretrieve_context('بورسیه دارین؟', **arguments)
        old = await ContextRetriever.aretrieve_context('بورسیه دارین؟', **arguments)
        routed = await rag_app.aretrieve_context('بورسیه دارین؟', **arguments)
        await FeatureFlags.aset_flag('production_rag', True)
        assert await FeatureFlags.ais_enabled('production_rag', user=user)
        assert await FeatureFlags.aget_value('rerank_top_k') == 8
        assert (await FeatureFlags.aget_all_flags())['production_rag']['set']
        await FeatureFlags.aunset_flag('production_rag')
        assert isinstance(await RAGMetrics.aget_cached_metrics(), dict)
    assert len(beats) > 3
    assert new['context'] == ProductionRAG.retrieve_context('بورسیه دارین؟', **arguments)['context']
    assert routed['context'] == old['context']
    assert [new['retrieval_method'], old['retrieval_method']] == ['production_rag', 'context_retriever']


async def test_the_plain_calls_work_where_a_loop_is_running() -> None:
    assert ask(ProductionRAG.retrieve_context)['total_chunks'] > 0


@pytest.mark.parametrize(
    ("named", "tenant"),
    [
        (SimpleNamespace(pk=7, id=8), "7"),
        (SimpleNamespace(id=8), "8"),
        (SimpleNamespace(pk=uuid.UUID(int=5)), str(uuid.UUID(int=5))),
        ("shop", "shop"),
        (0, "0"),
    ],
)
def test_a_user_names_the_tenant(named: object, tenant: str) -> None:
    assert tenant_of(named) == tenant


@pytest.mark.parametrize(
    "nobody", [None, True, 1.5, SimpleNamespace(pk=None), SimpleNamespace(pk=None, id=None), object()]
)
def test_a_user_that_names_no_tenant_is_refused(nobody: object) -> None:
    with pytest.raises(InvalidInputError, match="user must be"):
        ProductionRAG.retrieve_context('بورسیه', user=nobody)


def test_another_user_finds_nothing_of_the_first_and_is_told_why() -> None:
    for retrieve in (ProductionRAG.retrieve_context, ContextRetriever.retrieve_context, rag_app.retrieve_context):
        result = retrieve('بورسیه دارین؟', user='another')
        assert (result['total_chunks'], result['primary_context'], result['context']) == (0, [], '')
        assert result['reason']


def test_configuring_checks_at_once_and_keeps_what_was_open() -> None:
    before = rag_app.default_app()
    with pytest.raises(ConfigurationError, match="did you mean 'deadline_s'"):
        rag_app.configure(deadline=3)
    assert rag_app.default_app() is before


def test_without_configuring_the_environment_says_what_to_open(tmp_path: Path) -> None:
    code = (
        "import rag_app\n"
        "app = rag_app.default_app()\n"
        "assert rag_app.default_app() is app\n"
        "app.ingest([{'id': '1', 'text': 'ما بورسیه داریم'}], tenant='42')\n"
        "result = rag_app.ProductionRAG.retrieve_context('بورسیه دارین؟', user=42)\n"
        "print(result['total_chunks'], app.settings.deadline_s)\n"
    )
    environment = {"RAG_APP_DATA_DIR": str(tmp_path), "RAG_APP_DEADLINE_S": "29", "HOME": str(tmp_path), "PATH": "/bin"}
    environment["RAG_APP_RETRIEVAL__LEG_TIMEOUT_S"] = "20"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (0, "1 29.0\n"), done.stderr


def test_a_forked_process_opens_an_application_of_its_own(institute_url: str) -> None:
    code = (
        "import os, sys, rag_app\n"
        f"rag_app.configure(database={{'url': {institute_url!r}}}, deadline_s=30, retrieval={{'leg_timeout_s': 20}})\n"
        "def chunks(): return rag_app.retrieve_context('بورسیه دارین؟', user=42)['total_chunks']\n"
        "expected = chunks()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    sys.exit(0 if chunks() == expected > 0 else 1)\n"
        "status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "sys.exit(status or (0 if chunks() == expected else 2))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
