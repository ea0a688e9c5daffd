"""Small models of the right architecture, built on the spot: random weights, a tokenizer trained on our own text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

if TYPE_CHECKING:
    from transformers import XLMRobertaConfig


def save_cross_encoder(folder: Path, texts: list[str], *, labels: int = 1) -> Path:
    """Save an XLM-R cross-encoder as bge-reranker-base is, but with two small layers, and return its folder."""
    import torch
    from transformers import XLMRobertaForSequenceClassification

    torch.manual_seed(0)
    config = _small_config(_save_tokenizer(folder, texts), num_labels=labels)
    XLMRobertaForSequenceClassification(config).save_pretrained(folder)
    return folder


def save_embedding(folder: Path, texts: list[str]) -> Path:
    """Save an XLM-R embedding as bge-m3 is, first token and normalised, but small, and return its folder."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from transformers import XLMRobertaModel

    torch.manual_seed(0)
    parts = folder / "parts"
    parts.mkdir()
    XLMRobertaModel(_small_config(_save_tokenizer(parts, texts))).save_pretrained(parts)
    transformer = modules.Transformer(str(parts), max_seq_length=512)
    pooling = modules.Pooling(transformer.get_embedding_dimension(), pooling_mode="cls")
    SentenceTransformer(modules=[transformer, pooling, modules.Normalize()], device="cpu").save(str(folder / "model"))
    return folder / "model"


def _small_config(tokenizer: Tokenizer, **more: Any) -> XLMRobertaConfig:
    from transformers import XLMRobertaConfig

    return XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=tokenizer.token_to_id("<pad>"),
        bos_token_id=tokenizer.token_to_id("<s>"),
        eos_token_id=tokenizer.token_to_id("</s>"),
        initializer_range=0.5,  # far enough from zero that passages score differently
        **more,
    )


def _save_tokenizer(folder: Path, texts: list[str]) -> Tokenizer:
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        texts, trainers.UnigramTrainer(vocab_size=600, special_tokens=specials, unk_token="<unk>", show_progress=False)
    )
    start, end = (tokenizer.token_to_id(token) for token in ("<s>", "</s>"))
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", start), ("</s>", end)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=512,
    ).save_pretrained(folder)
    return tokenizer


def reference_logits(folder: Path, query: str, texts: list[str]) -> list[float]:
    """Return the logits by transformers alone, one pair at a time."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return [model(**tokenizer(query, text, return_tensors="pt")).logits[0, 0].item() for text in texts]
