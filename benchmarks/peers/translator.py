"""Our `Translator`, in Python."""

from case import Case, Search

import keras_attention as ka

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def build(case: Case, number_format: str, search: Search):
    saved = ka.Translator.load(case.folder / "translator")
    translator = with_search(with_policy(saved, POLICIES[number_format]), search)
    return lambda texts: translator(texts, batch_size=len(texts))


def with_policy(translator, policy):
    """The same translator, its model in another dtype policy."""
    config = translator.model.get_config()
    model = ka.Transformer.from_config({**config, "dtype": policy})
    model.set_weights(translator.model.get_weights())
    return ka.Translator(
        model,
        translator.source_tokenizer,
        translator.target_tokenizer,
        **translator.get_config(),
    )


def with_search(translator, search):
    """The same translator, with another search."""
    longest = (search.length_ratio, search.length_offset)
    settings = {
        "beam_size": search.beam_size,
        "length_penalty": search.length_penalty,
        "min_length": search.min_tokens,
        "max_length": search.new_tokens or longest,
    }
    return ka.Translator(
        translator.model,
        translator.source_tokenizer,
        translator.target_tokenizer,
        **{**translator.get_config(), **settings},
    )
