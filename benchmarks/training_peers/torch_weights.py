"""The weights of our `Transformer` under the names of torch's `nn.Transformer`."""

import numpy as np
import torch

# The sub-layers of a layer: our names, and torch's.
ATTENTIONS = {
    "attention": "self_attn",
    "self_attention": "self_attn",
    "cross_attention": "multihead_attn",
}
NORMS = {
    "encoder": ("attention_residual", "feed_forward_residual"),
    "decoder": (
        "self_attention_residual",
        "cross_attention_residual",
        "feed_forward_residual",
    ),
}
DENSE = {"widen": "linear1", "narrow": "linear2"}
# Torch has the projections of queries, keys and values as one matrix.
INPUTS = ("query_key_value", "query", "key_value")
VARIABLES = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}


def rename_weights(ours):
    """{path: array} of ours -> {name: tensor} for `load_state_dict`."""
    renamed = {"embedding.weight": [ours["embedding/embeddings"]]}
    # In our order the query comes before the key and the value.
    for path, weight in ours.items():
        if "_layer_" in path:
            name = rename(*path.split("/"))
            renamed.setdefault(f"transformer.{name}", []).append(weight.T)
    return {
        name: torch.from_numpy(np.concatenate(parts)) for name, parts in renamed.items()
    }


def rename(layer, part, inner, variable):
    """The name of one weight, or of the one that it is a part of."""
    side, _, index = layer.partition("_layer_")
    name, variable = f"{side}.layers.{index}", VARIABLES[variable]
    if part in NORMS[side]:
        return f"{name}.norm{1 + NORMS[side].index(part)}.{variable}"
    if inner in DENSE:
        return f"{name}.{DENSE[inner]}.{variable}"
    if inner in INPUTS:
        return f"{name}.{ATTENTIONS[part]}.in_proj_{variable}"
    return f"{name}.{ATTENTIONS[part]}.out_proj.{variable}"
