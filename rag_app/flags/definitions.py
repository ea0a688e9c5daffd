"""The flags: their names, defaults and valid values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rag_app.cross_encoder.models import ALIASES, find_model
from rag_app.errors import ComponentError, InvalidInputError, unknown_name

ROLLOUT = "production_rag"
ROLLOUT_SHARE = "production_rag_rollout_percentage"
SHADOW_SHARE = "production_rag_shadow_percentage"
MAX_COUNT = 1000

Value = bool | int | float | str


@dataclass(frozen=True)
class FlagDefinition:
    """One flag.

    Attributes:
        default: its value where nothing is set or configured.
        valid: what values it may have, in words.
        is_valid: tells whether it may have a value.
    """

    name: str
    default: Value
    description: str
    valid: str
    is_valid: Callable[[object], bool]

    def check(self, value: object) -> Value:
        """Return `value` if the flag may have it.

        Raises:
            InvalidInputError: it may not.
        """
        if not self.is_valid(value):
            near = ""
            if self.name == "rerank_model" and isinstance(value, str):
                near = f" ({unknown_name('model', value, (*ALIASES, *ALIASES.values()))})"
            raise InvalidInputError(f"the flag {self.name} must be {self.valid}, not {value!r:.80}{near}")
        assert isinstance(value, bool | int | float | str)  # noqa: S101 - each `is_valid` sees to it
        return value


def definition_of(name: str) -> FlagDefinition:
    """Return the definition of a flag.

    Raises:
        InvalidInputError: there is none of this name.
    """
    if not isinstance(name, str) or name not in FLAGS:
        raise InvalidInputError(unknown_name("flag", str(name), FLAGS))
    return FLAGS[name]


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_percentage(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_COUNT


def _is_model(value: object) -> bool:
    if not isinstance(value, str) or value in ALIASES or value in ALIASES.values():
        return isinstance(value, str)
    try:
        find_model(value)
    except (ComponentError, ValueError, OSError, RuntimeError):  # RuntimeError: the home folder of an unknown user
        return False
    return True


def _boolean(name: str, default: bool, description: str) -> FlagDefinition:
    return FlagDefinition(name, default, description, "true or false", _is_boolean)


def _percentage(name: str, description: str) -> FlagDefinition:
    return FlagDefinition(name, 0, description, "a number from 0 to 100", _is_percentage)


def _count(name: str, default: int, description: str) -> FlagDefinition:
    return FlagDefinition(name, default, description, f"an integer from 1 to {MAX_COUNT}", _is_count)


FLAGS: Mapping[str, FlagDefinition] = {
    definition.name: definition
    for definition in (
        _boolean(ROLLOUT, False, "whether users get the new pipeline; false, when set, wins over the percentage"),
        _percentage(ROLLOUT_SHARE, "the share of users that get the new pipeline"),
        _percentage(SHADOW_SHARE, "the share of the old pipeline's requests that the new one answers in its shadow"),
        _boolean("cross_encoder_reranking", True, "whether the cross-encoder may rank, where one is configured"),
        FlagDefinition(
            "rerank_model",
            "base",
            "the model of the cross-encoder",
            f"one of {', '.join(ALIASES)}, or a model that is on this machine",
            _is_model,
        ),
        _count("dense_top_k", 20, "candidates of the dense leg"),
        _count("sparse_top_k", 15, "candidates of the BM25 leg"),
        _count("fusion_top_k", 20, "candidates after fusion"),
        _count("rerank_top_k", 8, "chunks after rerank"),
    )
}
