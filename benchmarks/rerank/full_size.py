"""Cross-encoders of full size, built on the spot: the architecture of bge-reranker, random weights, our own tokenizer.

They are for measurements that do not depend on what the weights hold. A model is built once and then reused: remove its
folder to build it anew, with other texts or another seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from passages import read_paragraphs
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForSequenceClassification

BUILT = Path(__file__).parent.parent.parent / "build" / "rerank"
SPECIALS = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}
TRAINED_VOCABULARY = 30_000  # at most; the embeddings have a row for every token of the original all the same


class Size(NamedTuple):
    """What makes a model as large as it is."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int = 250_002


SIZES = {
    "base": Size(768, 12, 12, 3072),
    "large": Size(1024, 24, 16, 4096),
    "tiny": Size(32, 2, 2, 64, 2_000),  # to try the scripts
}


def full_size(name: str, texts: Iterable[str], *, root: Path = BUILT, seed: int = 0) -> Path:
    """Return the folder of the model of that size; it is built if it is not there.

    Args:
        name: one of `SIZES`.
        texts: what its tokenizer is trained on.
        root: the folder that holds such models.
        seed: of the weights.
    """
    folder = root / name
    if not folder.exists():
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=root) as directory:
            part = Path(directory) / name
            tokenizer = _trained(texts, min(TRAINED_VOCABULARY, SIZES[name].vocabulary))
            tokenizer.save_pretrained(part)
            torch.manual_seed(seed)
            XLMRobertaForSequenceClassification(_config(SIZES[name], tokenizer)).save_pretrained(part)
            part.rename(folder)
    return folder


def _trained(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIALS.values()), unk_token=SPECIALS["unk"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (SPECIALS["bos"], SPECIALS["eos"])],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        cls_token=SPECIALS["bos"],
        sep_token=SPECIALS["eos"],
        model_max_length=512,
        **{f"{name}_token": token for name, token in SPECIALS.items()},
    )


def _config(size: Size, tokenizer: PreTrainedTokenizerFast) -> XLMRobertaConfig:
    return XLMRobertaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.intermediate,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        num_labels=1,  # type: ignore[call-arg]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("--squad", type=Path, help="a file in the format of SQuAD, to train the tokenizer on as well")
    given = parser.parse_args()
    print(full_size(given.size, [text for paragraph in read_paragraphs(given.squad) for text in paragraph.texts]))
