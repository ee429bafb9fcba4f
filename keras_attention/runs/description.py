"""A translator -> what it is made of, in figures."""

from keras_attention.special_tokens import END, PAD, START, UNKNOWN

SPECIAL_TOKENS = {"PAD": PAD, "UNKNOWN": UNKNOWN, "START": START, "END": END}


def describe(translator):
    """Say what a translator is made of.

    Args:
        translator: A `Translator`.

    Returns:
        A dict of what can be written as JSON: "parameters", in all; "model", the
        arguments of the `Transformer` and its "dtype"; "layers", a record for each of
        the encoder's and the decoder's with its "name", "kind" and "parameters";
        "vocabulary", for each side its "size" and the first "pieces"; "special_tokens",
        their ids; and "search", the settings of the translator.

    Example:

        describe(Translator.load("saved_models/en-de"))["parameters"]
    """
    model = translator.model
    sides = {
        "source": translator.source_tokenizer,
        "target": translator.target_tokenizer,
    }
    return {
        "parameters": model.count_params(),
        "model": {**model.config, "dtype": model.dtype_policy.name},
        "layers": [
            {
                "name": layer.name,
                "kind": type(layer).__name__,
                "parameters": layer.count_params(),
            }
            for layer in model.layers
            if layer.weights
        ],
        "vocabulary": {
            side: {"size": tokenizer.vocab_size, "pieces": pieces(tokenizer)}
            for side, tokenizer in sides.items()
        },
        "special_tokens": SPECIAL_TOKENS,
        "search": translator.get_config(),
    }


def pieces(tokenizer, number=12):
    """The first pieces of a vocabulary, the special ones included."""
    return [
        tokenizer.id_to_piece(id) for id in range(min(number, tokenizer.vocab_size))
    ]
