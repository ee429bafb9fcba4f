"""Follow one word through attention, number by number, in a model trained here.

The model turns the letters of an English word into its phonemes. Each step prints its
matrix, and the numbers are those of the package's own functions; they are explained in
docs/guide.md, in Korean in docs/guide.ko.md.

    python examples/attention_step_by_step.py            the word "phone"
    python examples/attention_step_by_step.py city       another one
    python examples/attention_step_by_step.py --train    train the model anew, a minute
    python examples/attention_step_by_step.py --write    put all of it into the guide
"""

import argparse
import pathlib
import re
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

import keras_attention as ka
from keras_attention.layers.attention import (
    masked_softmax,
    merge_heads,
    scaled_dot_product_attention,
    split_heads,
)
from keras_attention.layers.masks import causal_mask
from keras_attention.layers.positional_encoding import sinusoid
from keras_attention.special_tokens import END, START
from keras_attention.training.log_table import LogTable

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
MODEL = DOCS / "guide_model"
PAGES = (DOCS / "guide.md", DOCS / "guide.ko.md")

# The head that is followed; of the first layer of the encoder.
HEAD = 0
# Columns that fit on a page.
SHOWN = 8


class Step(NamedTuple):
    """One matrix on the way, with what it is made by.

    Attributes:
        name: For the guide's places, such as "queries".
        formula: How it comes from what was before.
        matrix: (rows, columns), float.
        rows, columns: What they are of; no names of columns where these have none.
    """

    name: str
    formula: str
    matrix: np.ndarray
    rows: list
    columns: list = ()


def main():
    options = parse_options()
    if options.train:
        train(options.model)
    translator = ka.Translator.load(options.model)
    steps = [
        *encoder_steps(translator, options.word),
        *decoder_steps(translator, options.word),
    ]
    blocks = {step.name: shown(step) for step in steps}
    blocks["search"] = search_block(translator, options.word)
    for block in blocks.values():
        print(f"\n{block}")
    if options.write:
        for page in PAGES:
            page.write_text(filled(page.read_text("utf-8"), blocks), "utf-8")
        draw(translator, options.word, steps, DOCS / "images")


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("word", nargs="?", default="phone", help="in small letters (default: phone)")
    add("--train", action="store_true", help="train the model anew, and keep it")
    add("--write", action="store_true", help="write numbers and pictures to the guide")
    add("--model", type=pathlib.Path, default=MODEL, help="folder of the model")
    return parser.parse_args()


def train(folder, words=40_000, epochs=4):
    """Learn to pronounce, in a model small enough to be read, and keep it."""
    from pronounce import parallel_lines, read_dictionary, split_words

    keras.utils.set_random_seed(0)
    dictionary = read_dictionary(stress=False)
    learned_from, valid, _ = split_words(dictionary, words, seed=0)
    letters, phonemes = parallel_lines(dictionary, learned_from)
    tokenizers = [
        ka.SubwordTokenizer.train(lines, model_type=kind, normalization="identity")
        for lines, kind in ((letters, "char"), (phonemes, "word"))
    ]
    batches, valid_batches = [
        ka.translation_dataset(*lines, *tokenizers, batch_tokens=4096)
        for lines in ((letters, phonemes), parallel_lines(dictionary, valid))
    ]
    sizes = {"num_layers": 2, "num_decoder_layers": 1, "d_model": 32, "num_heads": 4}
    vocab_sizes = [tokenizer.vocab_size for tokenizer in tokenizers]
    model = ka.Transformer(*vocab_sizes, **sizes, d_ff=64, dropout_rate=0.0)
    steps = epochs * len(batches)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - 100, warmup_target=1e-2, warmup_steps=100
    )
    model.compile(
        keras.optimizers.Adam(rate, beta_2=0.98),
        loss=ka.MaskedCrossentropy(),
        metrics=[ka.MaskedAccuracy()],
        jit_compile=False,
    )
    model.fit(
        batches,
        validation_data=valid_batches,
        epochs=epochs,
        shuffle=False,  # the batches come shuffled
        callbacks=[LogTable(folder.with_name(f"{folder.name}.csv"))],
        verbose=2,
    )
    weights = model.get_weights()
    model = ka.Transformer.from_config(model.get_config())  # without the optimizer
    model.set_weights(weights)
    ka.Translator(model, *tokenizers, max_length=(1.0, 10)).save(folder)


def encoder_steps(translator, word):
    """From letters to what the encoder makes of them: the steps of its first layer."""
    encoder = translator.model.encoder
    layer = encoder.layers[0]
    attention = layer.attention
    letters = [*word, "</s>"]
    ids = source_ids(translator, word)  # (1, S)

    embedded = encoder.embedding(ids)  # (1, S, D)
    positions = sinusoid(np.arange(float(len(letters))), embedded.shape[-1])  # (S, D)
    x = encoder.position(embedded)
    query, key, value = [
        split_heads(part, attention.num_heads)
        for part in ops.split(attention.query_key_value(x), 3, axis=-1)
    ]  # (1, N, S, H) each
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2))  # (1, N, S, S)
    scaled = scores / query.shape[-1] ** 0.5
    weights = masked_softmax(scaled)
    context = ops.matmul(weights, value)  # (1, N, S, H)
    # All of it in the function that the layers call.
    np.testing.assert_allclose(
        context, scaled_dot_product_attention(query, key, value)[0], atol=1e-5
    )
    merged = merge_heads(context)  # (1, S, D)
    attended = attention.output_projection(merged)
    added = layer.attention_residual(x, attended)
    memory, _ = encoder.attention_maps(ids)

    def step(name, formula, tensor, columns=()):
        return Step(name, formula, matrix_of(tensor), letters, columns)

    return [
        step("ids", "token ids", ids[..., None], ["id"]),
        step("embedding", "E = embeddings[ids] * sqrt(D)", embedded),
        step("positions", "P = sin and cos of the position", positions),
        step("sum", "X = E + P", x),
        step("queries", f"Q = X W_Q, head {HEAD}", query[:, HEAD]),
        step("keys", f"K = X W_K, head {HEAD}", key[:, HEAD]),
        step("values", f"V = X W_V, head {HEAD}", value[:, HEAD]),
        step("scores", "Q K'", scores[:, HEAD], letters),
        step("scaled", "Q K' / sqrt(H)", scaled[:, HEAD], letters),
        step("weights", "A = softmax(Q K' / sqrt(H))", weights[:, HEAD], letters),
        step("context", f"C = A V, head {HEAD}", context[:, HEAD]),
        step("heads", "all heads side by side", merged),
        step("projection", "O = (all heads) W_O", attended),
        step("residual", "norm(X + O)", added),
        step("layer", "norm(Y + FFN(Y)), Y the one before", layer.transform(added)),
        step("memory", "after the last layer: the memory", memory),
    ]


def decoder_steps(translator, word):
    """From the memory to the phonemes: what the decoder may see, and what it says."""
    model = translator.model
    [maps] = translator.attention_maps([word])
    said = [visible_phoneme(piece) for piece in maps.target_pieces]
    so_far = [visible_phoneme(piece) for piece in maps.columns("decoder")]
    ids = source_ids(translator, word)
    target_ids = teacher_forced_ids(translator, said)
    logits = model({"source_ids": ids, "target_ids": target_ids})
    probabilities = ops.softmax(model.forbid(logits))[0]  # (T, V)
    likely = np.argsort(-ops.convert_to_numpy(probabilities).max(axis=0))[:SHOWN]
    mask = ops.cast(causal_mask(len(said))[0], "int32")
    letters, mean = [*word, "</s>"], "mean of the heads"
    to_piece = translator.target_tokenizer.id_to_piece

    def step(name, formula, tensor, columns):
        return Step(name, formula, matrix_of(tensor), said, columns)

    return [
        step("mask", "1 = may be seen", mask, so_far),
        step("decoder", f"A of itself, {mean}", maps.matrix("decoder"), so_far),
        step("cross", f"A of the source, {mean}", maps.matrix("cross"), letters),
        step(
            "probabilities",
            "softmax(logits), of the likeliest phonemes",
            ops.take(probabilities, likely, axis=1),
            [visible_phoneme(to_piece(int(index))) for index in likely],
        ),
    ]


def search_block(translator, word):
    """What greedy and beam search say, and how likely they are, as text."""
    greedy = ka.Translator(
        translator.model,
        translator.source_tokenizer,
        translator.target_tokenizer,
        **{**translator.get_config(), "beam_size": 1},
    )
    lines = ["log probability  phonemes"]
    for name, one in (("greedy", greedy), ("beam of 4", translator)):
        lines += [
            f"{found.log_prob:15.2f}  {found.text}  ({name})"
            for found in one.n_best([word])[0]
        ]
    return "\n".join(lines)


def source_ids(translator, word):
    """A word -> the ids of its letters and END, (1, S)."""
    ids = translator.source_tokenizer.tokenize([word]).to_tensor()
    return np.concatenate([ids, [[END]]], axis=1).astype("int32")


def teacher_forced_ids(translator, said):
    """What the decoder reads while it says this: START, and all but END, (1, T)."""
    ids = translator.target_tokenizer.tokenize([" ".join(said[:-1])]).to_tensor()
    return np.concatenate([[[START]], ids], axis=1).astype("int32")


def visible_phoneme(piece):
    """A piece without the mark that a word begins here, as each of them does."""
    return piece.removeprefix("\u2581")


def matrix_of(tensor):
    """(1, rows, columns) or (rows, columns) -> NumPy (rows, columns)."""
    array = ops.convert_to_numpy(tensor)
    return array[0] if array.ndim == 3 else array


def shown(step):
    """A step as text: its formula, its shape, and the numbers that fit."""
    matrix = step.matrix[:, :SHOWN]
    number = "{:7d}" if np.issubdtype(matrix.dtype, np.integer) else "{:7.2f}"
    matrix = np.round(matrix, 2) + 0  # so that no -0.00 is shown
    more = "  ..." if step.matrix.shape[1] > SHOWN else ""
    lines = [f"{step.formula}    {step.matrix.shape}"]
    if len(step.columns):
        names = "".join(f"{name:>7}" for name in step.columns[:SHOWN])
        lines.append(f"{'':6}{names}{more}")
    for name, row in zip(step.rows, matrix):
        lines.append(f"{name:>6}{''.join(map(number.format, row))}{more}")
    return "\n".join(lines)


def filled(text, blocks):
    """A page with the blocks in their places: `<!-- block: name -->`."""

    def fill(place):
        return f"{place[1]}\n```text\n{blocks[place[2]]}\n```\n{place[3]}"

    pattern = r"(<!-- block: (\w+) -->)\n.*?(<!-- end -->)"
    return re.sub(pattern, fill, text, flags=re.DOTALL)


def draw(translator, word, steps, folder):
    """Draw the steps, the heads and where the phonemes look, for the guide."""
    of = {step.name: step for step in steps}
    pictures = {
        "input": [["embedding"], ["positions"], ["sum"]],
        "attention": [["queries", "keys", "scaled"], ["weights", "values", "context"]],
        "output": [["heads"], ["projection"], ["residual"], ["memory"]],
        "decoder": [["mask", "decoder"], ["cross", "probabilities"]],
    }
    for name, rows in pictures.items():
        drawn = picture([[of[one] for one in row] for row in rows])
        drawn.savefig(folder / f"guide_{name}.png", dpi=80)
    heads = ka.plot_attention(translator, word, kind="encoder", layer=0, head="all")
    heads.savefig(folder / "guide_heads.png", dpi=100)


def picture(rows):
    """Matrices in rows: blue above 0, red below, the darker the farther."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.2 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for place, axes in np.ndenumerate(panels):
        step = rows[place[0]][place[1]]
        largest = np.abs(step.matrix).max()
        axes.imshow(step.matrix, "RdBu", vmin=-largest, vmax=largest, aspect="auto")
        axes.set_title(f"{step.name} {step.matrix.shape}", fontsize=10)
        axes.set_yticks(range(len(step.rows)), step.rows)
        axes.set_xticks(range(len(step.columns)), step.columns)
    return figure


if __name__ == "__main__":
    main()
