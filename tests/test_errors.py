import inspect
import re

import pytest

from rag_app import errors
from rag_app.errors import RagAppError, unknown_name

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_a_rag_app_error(error: type[Exception]) -> None:
    assert issubclass(error, RagAppError)


def drawn() -> dict[str, str]:
    """Return the parent of each error in the drawing of the module's docstring."""
    parents: dict[str, str] = {}
    above: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        if name := re.search(r"\b\w+Error\b", line):
            depth = name.start()
            above = {column: other for column, other in above.items() if column < depth}
            if above:
                parents[name.group()] = above[max(above)]
            above[depth] = name.group()
    return parents


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    tree = {error.__name__: error.__bases__[0].__name__ for error in CLASSES if error is not RagAppError}
    assert len(tree) >= 9
    assert drawn() == tree


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_says_when_it_is_raised(error: type[Exception]) -> None:
    assert (error.__doc__ or "").rstrip().endswith(".")


@pytest.mark.parametrize("error", [errors.ConfigurationError, errors.InvalidInputError])
def test_a_wrong_value_is_a_value_error_too(error: type[Exception]) -> None:
    assert issubclass(error, ValueError)


def test_an_unknown_name_suggests_the_nearest_and_lists_all() -> None:
    message = unknown_name("source", "manaul", {"website", "manual", "faq"})
    assert message == "unknown source 'manaul': did you mean 'manual'? valid: faq, manual, website"


def test_an_unknown_name_that_resembles_none_suggests_none() -> None:
    assert unknown_name("source", "xyz", ["manual", "faq"]) == "unknown source 'xyz': valid: faq, manual"


def test_where_there_are_no_names_it_says_so() -> None:
    assert unknown_name("source", "manual", []) == "unknown source 'manual': valid: none"
