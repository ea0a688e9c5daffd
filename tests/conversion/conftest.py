from collections.abc import Callable, Iterator

import pytest

from rag_app.conversion import Converted, Converter
from rag_app.errors import ReadError

Convert = Callable[[str, str | bytes], Converted]


@pytest.fixture(scope="session")
def converter() -> Iterator[Converter]:
    with Converter(time_limit_s=60) as opened:
        yield opened


@pytest.fixture
def convert(converter: Converter) -> Convert:
    def run(suffix: str, content: str | bytes) -> Converted:
        return converter.convert(suffix, content.encode() if isinstance(content, str) else content, max_mb=2)

    return run


@pytest.fixture
def refused(convert: Convert) -> Callable[[str, str | bytes], str]:
    """Returns why a file is not converted."""

    def run(suffix: str, content: str | bytes) -> str:
        with pytest.raises(ReadError) as caught:
            convert(suffix, content)
        return str(caught.value)

    return run
