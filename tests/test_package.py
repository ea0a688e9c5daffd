"""The package as a whole: its public names, the direction of its imports, and what importing it costs."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import rag_app

ROOT = Path(__file__).parent.parent
HEAVY = ("llama_index", "sqlalchemy", "numpy", "sklearn", "torch", "hazm", "pydantic")


def test_the_public_names_are_these() -> None:
    assert rag_app.__all__ == [
        "ContextResult",
        "ContextRetriever",
        "CrossEncoderReranker",
        "FeatureFlags",
        "IngestReport",
        "ProductionRAG",
        "RAGMetrics",
        "RagApp",
        "RagAppError",
        "RetrievalResult",
        "__version__",
        "aretrieve_context",
        "configure",
        "default_app",
        "retrieve_context",
    ]
    assert all(getattr(rag_app, name) for name in rag_app.__all__)
    assert dir(rag_app) == rag_app.__all__
    with pytest.raises(AttributeError, match="no attribute 'RagAp'"):
        _ = rag_app.RagAp


def test_imports_point_one_way() -> None:
    done = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("statement", ["import rag_app", "import rag_app.cli.commands"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    code = f"import sys; {statement}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_question_is_answered_offline_without_what_is_heavy_and_not_needed(tmp_path: Path) -> None:
    code = (
        "import sys; from rag_app import RagApp\n"
        "if __name__ == '__main__':\n"
        "    with RagApp.from_config(profile='embedded', data_dir=sys.argv[1]) as app:\n"
        "        app.ingest([{'id': 'm1', 'text': 'ارسال سه روز طول می‌کشد.'}], tenant='t')\n"
        "        print(len(app.retrieve('ersal chand rooze?', tenant='t').nodes))\n"
        "    print([name for name in ('sklearn', 'torch', 'pandas', 'transformers', 'hazm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["1", "[]"]


def test_what_only_some_applications_or_the_first_request_need_is_not_loaded_before() -> None:
    code = (
        "import sys, rag_app.app, rag_app.spans, rag_app.trace\n"
        "print([name for name in ('google.genai', 'openai', 'opentelemetry') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_data_file_is_shipped() -> None:
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    package = ROOT / "rag_app"
    files = {file for pattern in shipped["rag_app"] for file in package.glob(pattern)}
    found = {file for file in package.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}
    assert found == files
