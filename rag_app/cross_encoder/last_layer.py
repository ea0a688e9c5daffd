"""The last layer of a cross-encoder, computed only where its score is read."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel, XLMRobertaForSequenceClassification


class FirstTokenLayer(nn.Module):
    """The last layer of XLM-RoBERTa for each pair's first token alone; keys and values are still those of every token.

    The other tokens' states would be computed for nobody: of twelve layers that is a fifteenth of the work.

    Args:
        layer: the whole layer.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, states: Tensor, mask: Tensor | None = None, *_: Any, **__: Any) -> Tensor:
        """Return the first token's state.

        Args:
            states: of shape (pairs, tokens, features).
            mask: broadcast over (pairs, heads, tokens, tokens): which of them attend to which.
        """
        first, attention = states[:, :1], self.layer.attention
        own = attention.self
        by_head = (states.shape[0], -1, own.num_attention_heads, own.attention_head_size)
        query, key, value = (
            project(given).view(by_head).transpose(1, 2)
            for project, given in ((own.query, first), (own.key, states), (own.value, states))
        )
        mask = mask[:, :, :1] if mask is not None else None
        attended = nn.functional.scaled_dot_product_attention(query, key, value, mask, scale=own.scaling)
        state: Tensor = self.layer.feed_forward_chunk(
            attention.output(attended.transpose(1, 2).reshape(first.shape), first)
        )
        return state


def read_first_token_alone(classifier: PreTrainedModel) -> None:
    """Have a classifier compute of its last layer only what its score is read from, if it is an XLM-RoBERTa."""
    masks_are_broadcast = classifier.config._attn_implementation in ("sdpa", "eager")
    if isinstance(classifier, XLMRobertaForSequenceClassification) and masks_are_broadcast:
        layers = classifier.roberta.encoder.layer
        layers[-1] = FirstTokenLayer(layers[-1])
