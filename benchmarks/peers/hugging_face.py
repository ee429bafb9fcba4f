"""Hugging Face's MarianMT with our weights, and its `generate`."""

import numpy as np
import torch
from case import (
    END,
    LAYER_NORM_EPSILON,
    PAD,
    START,
    cores,
    forbidden_tokens,
    pad,
    require_shared_embeddings,
    sinusoid,
)
from transformers import MarianConfig, MarianMTModel

MAX_POSITIONS = 1024


def build(case, number_format, search):
    torch.set_num_threads(cores())
    model = copy_model(case).to(getattr(torch, number_format))

    @torch.inference_mode()
    def translate(texts):
        source_ids = torch.from_numpy(pad(case.encode(texts)))  # (B, S)
        limits = {"max_new_tokens": search.max_tokens(source_ids.shape[1])}
        if search.min_tokens:
            limits["min_new_tokens"] = search.min_tokens
        found = model.generate(
            input_ids=source_ids,
            attention_mask=(source_ids != PAD).long(),
            do_sample=False,
            num_beams=search.beam_size,
            **(
                {"length_penalty": search.length_penalty}
                if search.beam_size > 1
                else {}
            ),
            **limits,
        )
        return [case.decode(ids) for ids in found.tolist()]

    return translate


@torch.inference_mode()
def largest_difference(case):
    """Of the logits, over all tokens that the search may propose."""
    batch = {name: torch.from_numpy(value) for name, value in case.check.items()}
    logits = copy_model(case)(
        input_ids=batch["source_ids"],
        attention_mask=(batch["source_ids"] != PAD).long(),
        decoder_input_ids=batch["target_ids"],
    ).logits
    difference = (logits - batch["logits"])[batch["labels"] != PAD]
    difference[:, [PAD, START]] = 0.0
    return float(difference.abs().max())


def copy_model(case):
    """A MarianMT of the same shapes, with the same weights, in float32."""
    config = case.config
    require_shared_embeddings("hugging_face", config)
    if config["norm_first"]:
        raise ValueError(
            "hugging_face: got norm_first=True, but Marian normalises behind each "
            "sublayer. Measure a model with norm_first=False, or leave this peer out."
        )
    model = MarianMTModel(
        MarianConfig(
            vocab_size=config["target_vocab_size"],
            max_position_embeddings=MAX_POSITIONS,
            encoder_layers=config["num_layers"],
            decoder_layers=config["num_decoder_layers"] or config["num_layers"],
            encoder_attention_heads=config["num_heads"],
            decoder_attention_heads=config["num_heads"],
            encoder_ffn_dim=config["d_ff"],
            decoder_ffn_dim=config["d_ff"],
            d_model=config["d_model"],
            activation_function="relu",
            scale_embedding=True,
            pad_token_id=PAD,
            decoder_start_token_id=START,
            eos_token_id=END,
            forced_eos_token_id=END,
        )
    )
    weights = {name: torch.from_numpy(w) for name, w in marian_weights(case).items()}
    # Our attention may have no biases.
    biases = {
        name: torch.zeros_like(bias)
        for name, bias in model.state_dict().items()
        if name.endswith("_proj.bias")
    }
    model.load_state_dict({**biases, **weights})
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = LAYER_NORM_EPSILON
    return model.eval()


def marian_weights(case):
    """Our weights under the names of MarianMT."""
    ours, config = case.weights, case.config
    embeddings = ours["embedding/embeddings"]  # (V, D)
    positions = sinusoid(MAX_POSITIONS, config["d_model"])
    marian = {
        "model.shared.weight": embeddings,
        "lm_head.weight": embeddings,
        "final_logits_bias": forbidden_tokens(len(embeddings))[None],
    }
    for side in ("encoder", "decoder"):
        marian[f"model.{side}.embed_tokens.weight"] = embeddings
        marian[f"model.{side}.embed_positions.weight"] = positions
    for path, weight in ours.items():
        layer, _, inner = path.partition("/")
        if "_layer_" in layer:
            side, _, index = layer.partition("_layer_")
            for name, value in rename(inner, weight).items():
                marian[f"model.{side}.layers.{index}.{name}"] = value
    return marian


# The sub-layers of a layer: our name, and Marian's.
ATTENTIONS = {
    "attention": "self_attn",
    "self_attention": "self_attn",
    "cross_attention": "encoder_attn",
}
PROJECTIONS = {
    "query": ("q_proj",),
    "key_value": ("k_proj", "v_proj"),
    "query_key_value": ("q_proj", "k_proj", "v_proj"),
    "output_projection": ("out_proj",),
}
NORMS = {
    "attention_residual": "self_attn_layer_norm",
    "self_attention_residual": "self_attn_layer_norm",
    "cross_attention_residual": "encoder_attn_layer_norm",
    "feed_forward_residual": "final_layer_norm",
}
DENSE = {"widen": "fc1", "narrow": "fc2"}
VARIABLES = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}


def rename(path, weight):
    """One weight of a layer -> those that hold it in Marian, by their names."""
    part, inner, variable = path.split("/")
    if part in NORMS:
        return {f"{NORMS[part]}.{VARIABLES[variable]}": weight}
    if part == "feed_forward":
        return {f"{DENSE[inner]}.{VARIABLES[variable]}": weight.T}
    names = PROJECTIONS[inner]
    return {
        f"{ATTENTIONS[part]}.{name}.{VARIABLES[variable]}": piece.T
        for name, piece in zip(names, np.split(weight, len(names), axis=-1))
    }
