"""KerasHub's layers, put together to a Transformer, and its way to make batches."""

import keras
import keras_hub
import tensorflow as tf
from case import END, PAD, START

import keras_attention as ka
from training_peers.keras_trainer import SETTINGS, KerasTrainer, ready_made

LAYER_NORM_EPSILON = 1e-6


def build(case, number_format):
    policy, jit_compile = SETTINGS[number_format]
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    batches = from_text(case) if case.pairs else ready_made(case)
    return KerasTrainer(build_model(case.config), batches, jit_compile)


def build_model(config):
    """Source ids (B, S), target ids (B, T) -> logits (B, T, V)."""
    sizes = config["model"]
    settings = {
        "intermediate_dim": sizes["d_ff"],
        "num_heads": sizes["num_heads"],
        "dropout": sizes["dropout_rate"],
        "layer_norm_epsilon": LAYER_NORM_EPSILON,
    }
    embedding = keras_hub.layers.TokenAndPositionEmbedding(
        config["vocab_size"], config["longest"], sizes["d_model"]
    )
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    target_ids = keras.Input((None,), dtype="int32", name="target_ids")
    padding_mask = keras.ops.not_equal(source_ids, PAD)  # (B, S)
    memory = keras.layers.Dropout(sizes["dropout_rate"])(embedding(source_ids))
    for _ in range(sizes["num_layers"]):
        encode = keras_hub.layers.TransformerEncoder(**settings)
        memory = encode(memory, padding_mask=padding_mask)
    x = keras.layers.Dropout(sizes["dropout_rate"])(embedding(target_ids))
    for _ in range(sizes["num_layers"]):
        decode = keras_hub.layers.TransformerDecoder(**settings)
        # The target's padding comes last, so that the causal mask hides it, too.
        x = decode(x, memory, encoder_padding_mask=padding_mask)
    logits = embedding.token_embedding(x, reverse=True)
    return keras.Model({"source_ids": source_ids, "target_ids": target_ids}, logits)


def from_text(case):
    """Batches as KerasHub's guide to translation makes them: of one length for all."""
    tokenizer = ka.SubwordTokenizer.load(case.tokenizer_path)
    longest = case.config["longest"]
    pack = keras_hub.layers.StartEndPacker
    pack_source = pack(longest, end_value=END, pad_value=PAD)
    pack_target = pack(longest + 1, start_value=START, end_value=END, pad_value=PAD)

    def pad(source_lines, target_lines):
        source_ids = pack_source(tokenizer.tokenize(source_lines))  # (B, S)
        target = pack_target(tokenizer.tokenize(target_lines))  # (B, 1 + T)
        inputs = {"source_ids": source_ids, "target_ids": target[:, :-1]}
        return inputs, target[:, 1:]

    return (
        tf.data.Dataset.from_tensor_slices(tuple(case.pairs))
        .batch(case.config["batch_tokens"] // longest, drop_remainder=True)
        .map(pad, num_parallel_calls=tf.data.AUTOTUNE)
        .cache()
        .prefetch(tf.data.AUTOTUNE)
    )
