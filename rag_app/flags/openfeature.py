"""The flags for OpenFeature's SDK (extra `openfeature`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from rag_app.errors import ConfigurationError, InvalidInputError
from rag_app.flags.rules import Evaluation
from rag_app.flags.service import FlagService

try:
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.exception import FlagNotFoundError, TypeMismatchError
    from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
    from openfeature.provider import AbstractProvider, Metadata
except ImportError as error:
    raise ConfigurationError("flags for OpenFeature need its SDK: pip install 'rag-app[openfeature]'") from error

T = TypeVar("T")


class RagAppProvider(AbstractProvider):
    """Resolves flags from a `FlagService`; the targeting key of the evaluation context is the user.

    Args:
        flags: the service, such as `RagApp.flags`.

    >>> api.set_provider(RagAppProvider(app.flags))  # doctest: +SKIP
    >>> api.get_client().get_boolean_value("production_rag", False, EvaluationContext("42"))  # doctest: +SKIP
    """

    def __init__(self, flags: FlagService) -> None:
        super().__init__()
        self._flags = flags

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return Metadata(name="rag_app")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Resolve a flag that is on or off."""
        return self._resolved(flag_key, bool, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Resolve a flag whose value is a text."""
        return self._resolved(flag_key, str, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Resolve a flag whose value is an integer."""
        return self._resolved(flag_key, int, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Resolve a flag whose value is a number."""
        evaluation = self._evaluated(flag_key, evaluation_context)
        if isinstance(evaluation.value, bool) or not isinstance(evaluation.value, int | float):
            raise TypeMismatchError(f"{flag_key} is {evaluation.value!r}, no number")
        return FlagResolutionDetails(float(evaluation.value), reason=evaluation.reason, variant=evaluation.variant)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Refuse: no flag is a list or a mapping."""
        evaluation = self._evaluated(flag_key, evaluation_context)
        raise TypeMismatchError(f"{flag_key} is {evaluation.value!r}, no list or mapping")

    def _resolved(self, name: str, kind: type[T], context: EvaluationContext | None) -> FlagResolutionDetails[T]:
        evaluation = self._evaluated(name, context)
        if type(evaluation.value) is not kind:
            raise TypeMismatchError(f"{name} is {evaluation.value!r}, no {kind.__name__}")
        return FlagResolutionDetails(evaluation.value, reason=evaluation.reason, variant=evaluation.variant)

    def _evaluated(self, name: str, context: EvaluationContext | None) -> Evaluation:
        try:
            return self._flags.evaluate(name, context.targeting_key if context is not None else None)
        except InvalidInputError as error:
            raise FlagNotFoundError(str(error)) from error
