"""Token ids (B, T) -> logits (B, C): which of C classes a text belongs to."""

import keras
from keras import ops

from keras_attention.layers.dropout import Dropout
from keras_attention.layers.requirements import require_stack
from keras_attention.layers.token_embedding import (
    TokenEmbedding,
    require_ids_in_vocabulary,
)
from keras_attention.models.configured_model import ConfiguredModel
from keras_attention.models.encoder import Encoder
from keras_attention.special_tokens import PAD


@keras.saving.register_keras_serializable(package="keras_attention")
class TextClassifier(ConfiguredModel):
    """An encoder, the mean of its vectors, and a dense layer on top.

    Args:
        vocab_size: Tokens; ids from 0, `PAD` is 0.
        num_classes: C.
        num_layers: Encoder layers.
        d_model: D, width of the residual stream.
        num_heads: N, attention heads of each layer; must divide `d_model`.
        d_ff: F, width of the feed-forward networks.
        dropout_rate: Share of each sub-layer's output, of the embeddings and of the
            mean dropped in training, in [0, 1).
        norm_first: Normalise the input of each sub-layer instead of the sum behind it.
        dtype: Dtype policy of all layers; None takes Keras's global one.

    Inputs:
        (B, T), int32; `PAD` is not attended to, and not in the mean.

    Outputs:
        (B, C) logits, in the compute dtype.

    Raises:
        ValueError: For sizes below 1, heads that do not divide the width, or a rate
            outside [0, 1).

    Source:
        The encoder: Vaswani et al., 2017, section 3. The head is ours; Devlin et al.,
        2019, section 3, take the vector of the first token instead of the mean.

    Example:

    >>> classifier = TextClassifier(13, 3, num_layers=1, d_model=12, d_ff=24)
    >>> classifier(np.array([[5, 6, 3], [7, 3, 0]])).shape
    (2, 3)
    """

    def __init__(
        self,
        vocab_size,
        num_classes,
        num_layers=2,
        d_model=128,
        num_heads=4,
        d_ff=256,
        dropout_rate=0.1,
        norm_first=False,
        dtype=None,
        name="text_classifier",
        **kwargs,
    ):
        sizes = {
            "vocab_size": vocab_size,
            "num_classes": num_classes,
            "num_layers": num_layers,
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
        }
        require_stack("TextClassifier", dropout_rate, **sizes)
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())

        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        encoder = Encoder(
            TokenEmbedding(vocab_size, d_model, dtype=policy, name="embedding"),
            num_layers,
            num_heads,
            d_ff,
            dropout_rate,
            norm_first,
            use_bias=False,
            dtype=policy,
        )
        dropout = Dropout(dropout_rate, dtype=policy, name="dropout")
        head = keras.layers.Dense(num_classes, dtype=policy, name="head")
        mean = mean_over_tokens(encoder(token_ids), token_ids)
        super().__init__(token_ids, head(dropout(mean)), name=name, **kwargs)
        self.config = {**sizes, "dropout_rate": dropout_rate, "norm_first": norm_first}
        self.dtype_policy = policy
        self.encoder = encoder

    def __call__(self, token_ids, *args, **kwargs):
        token_ids = require_ids_in_vocabulary(
            self.name, token_ids, self.config["vocab_size"]
        )
        return super().__call__(token_ids, *args, **kwargs)

    def attention_maps(self, token_ids):
        """Show where every head of every layer looks.

        Args:
            token_ids: (B, T), int.

        Returns:
            {"encoder": [(B, N, T, T), ...]}, one entry a layer; rows are what looks,
            columns what is looked at, and each row sums to 1.
        """
        _, maps = self.encoder.attention_maps(token_ids)
        return {"encoder": maps}


def mean_over_tokens(x, token_ids):
    """The mean of vectors (B, T, D) whose token is not `PAD`: (B, D).

    Zeros where there is none. `keras.layers.GlobalAveragePooling1D` gives NaN there,
    and one row of padding in a batch would make all weights NaN.
    """
    real = ops.cast(ops.not_equal(token_ids, PAD), "float32")[:, :, None]  # (B, T, 1)
    total = ops.sum(ops.cast(x, "float32") * real, axis=1)  # (B, D)
    return ops.cast(total / ops.maximum(ops.sum(real, axis=1), 1), x.dtype)
