"""What can go wrong with a loaded model, as errors that say what to do."""

from __future__ import annotations

from rag_app.cross_encoder.loading import ran_out_of_memory
from rag_app.errors import ComponentError


def invalid_scores() -> ComponentError:
    """Return the error of scores that are no numbers."""
    return ComponentError(
        "the reranker's scores are no numbers: its weights are broken, replace them", "invalid scores"
    )


def as_component_error(model: str, error: Exception) -> ComponentError:
    """Return whatever a library raised as an error of ours."""
    if isinstance(error, ComponentError):
        return error
    if ran_out_of_memory(error):
        return ComponentError(
            f"there is no memory to score with {model!r}: take a smaller model (base instead of large) or fewer "
            "candidates (retrieval.fusion_top_k)",
            "out of memory",
        )
    return ComponentError(f"the reranker {model!r} fails to score ({type(error).__name__})", "scoring failed")


def again(error: ComponentError | None) -> ComponentError:
    """Return an error to raise once more; the very same one would gather the frames of every request."""
    return (
        ComponentError(str(error), error.reason) if error else ComponentError("the reranker is being loaded", "loading")
    )
