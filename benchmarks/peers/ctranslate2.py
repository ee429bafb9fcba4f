"""CTranslate2 with our weights.

A format is one of its compute types. With "per core" behind it each core translates
sentences of its own; otherwise all cores work on the same ones.
"""

import tempfile

import ctranslate2
import numpy as np
from case import (
    END,
    LAYER_NORM_EPSILON,
    PAD,
    START,
    UNKNOWN,
    cores,
    forbidden_tokens,
    require_shared_embeddings,
    sinusoid,
)
from ctranslate2.specs import Activation, TransformerSpec

MAX_POSITIONS = 1024


def build(case, number_format, search):
    compute_type, _, layout = number_format.partition(" ")
    translators = cores() if layout == "per core" else 1
    translator = load(case, compute_type, translators)

    def translate(texts):
        sources = [pieces(case.source_tokenizer, ids) for ids in case.encode(texts)]
        found = translator.translate_batch(
            sources,
            max_batch_size=-(-len(sources) // translators),
            beam_size=search.beam_size,
            length_penalty=search.length_penalty,
            max_decoding_length=search.max_tokens(max(map(len, sources))),
            min_decoding_length=max(search.min_tokens, 1),
            max_input_length=0,
        )
        return [case.target_tokenizer.decode(result.hypotheses[0]) for result in found]

    return translate


def largest_difference(case):
    """Of the log probabilities of the given targets: it does not show its logits."""
    batch = case.check
    found = load(case, "float32").score_batch(
        [pieces(case.source_tokenizer, ids[ids != PAD]) for ids in batch["source_ids"]],
        # START and END are added.
        [
            pieces(case.target_tokenizer, ids[(ids != PAD) & (ids != END)])
            for ids in batch["labels"]
        ],
    )
    expected = log_softmax(
        batch["logits"] + forbidden_tokens(batch["logits"].shape[-1])
    )
    expected = np.take_along_axis(expected, batch["labels"][:, :, None], axis=-1)
    return max(
        np.abs(np.array(result.log_probs) - row[: len(result.log_probs), 0]).max()
        for result, row in zip(found, expected)
    )


def load(case, compute_type, translators=1):
    """Translators of our weights, which share the cores of this process."""
    with tempfile.TemporaryDirectory() as folder:
        spec = copy_model(case)
        spec.validate()
        spec.optimize("int8" if compute_type == "int8" else "float32")
        spec.save(folder)
        return ctranslate2.Translator(
            folder,
            device="cpu",
            compute_type=compute_type,
            inter_threads=translators,
            intra_threads=cores() // translators,
        )


def copy_model(case):
    """The specification of a model of the same shapes, with the same weights."""
    config, weights = case.config, case.weights
    require_shared_embeddings("ctranslate2", config)
    num_decoder_layers = config["num_decoder_layers"] or config["num_layers"]
    spec = TransformerSpec.from_config(
        (config["num_layers"], num_decoder_layers),
        config["num_heads"],
        pre_norm=config["norm_first"],
        activation=Activation.RELU,
    )
    spec.config.layer_norm_epsilon = LAYER_NORM_EPSILON
    spec.config.decoder_start_token = piece(case.target_tokenizer, START)
    spec.config.eos_token = piece(case.target_tokenizer, END)
    spec.config.unk_token = piece(case.target_tokenizer, UNKNOWN)
    vocabulary = pieces(case.target_tokenizer, range(config["target_vocab_size"]))
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)

    embeddings = weights["embedding/embeddings"]  # (V, D)
    positions = sinusoid(MAX_POSITIONS, config["d_model"])
    spec.encoder.embeddings[0].weight = embeddings
    spec.decoder.embeddings.weight = embeddings
    spec.encoder.position_encodings.encodings = positions
    spec.decoder.position_encodings.encodings = positions
    spec.decoder.projection.weight = embeddings
    spec.decoder.projection.bias = forbidden_tokens(len(embeddings))

    if config["norm_first"]:
        fill_norm(spec.encoder.layer_norm, weights, "encoder_norm")
        fill_norm(spec.decoder.layer_norm, weights, "decoder_norm")
    for index, layer in enumerate(spec.encoder.layer):
        ours = f"encoder_layer_{index}"
        fill_attention(layer.self_attention, weights, f"{ours}/attention")
        fill_feed_forward(layer.ffn, weights, f"{ours}/feed_forward")
    for index, layer in enumerate(spec.decoder.layer):
        ours = f"decoder_layer_{index}"
        fill_attention(layer.self_attention, weights, f"{ours}/self_attention")
        fill_attention(layer.attention, weights, f"{ours}/cross_attention")
        fill_feed_forward(layer.ffn, weights, f"{ours}/feed_forward")
    return spec


def fill_attention(spec, weights, path):
    """One matrix for queries, keys and values, or one for keys and values: as ours."""
    inputs = ("query_key_value",) if len(spec.linear) == 2 else ("query", "key_value")
    for linear, name in zip(spec.linear, (*inputs, "output_projection")):
        fill_linear(linear, weights, f"{path}/{name}")
    fill_norm(spec.layer_norm, weights, f"{path}_residual/norm")


def fill_feed_forward(spec, weights, path):
    fill_linear(spec.linear_0, weights, f"{path}/widen")
    fill_linear(spec.linear_1, weights, f"{path}/narrow")
    fill_norm(spec.layer_norm, weights, f"{path}_residual/norm")


def fill_linear(spec, weights, path):
    """Keras's kernel is (inputs, outputs), and there may be no bias."""
    spec.weight = np.ascontiguousarray(weights[f"{path}/kernel"].T)
    if f"{path}/bias" in weights:
        spec.bias = weights[f"{path}/bias"]


def fill_norm(spec, weights, path):
    spec.gamma = weights[f"{path}/gamma"]
    spec.beta = weights[f"{path}/beta"]


def pieces(tokenizer, ids):
    return [piece(tokenizer, int(index)) for index in ids]


def piece(tokenizer, index):
    return tokenizer.id_to_piece(index)


def log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
