"""A Bert and the two heads that teach it its language from plain text."""

import keras

from keras_attention.layers.gather_positions import GatherPositions
from keras_attention.layers.layer_normalization import LayerNormalization
from keras_attention.layers.output_bias import OutputBias
from keras_attention.models.bert import EPSILON
from keras_attention.models.bert_head import BertHead, require_bert


@keras.saving.register_keras_serializable(package="keras_attention")
class BertPretraining(BertHead):
    """Guess hidden tokens from both sides, and whether a sentence follows another.

        token logits = norm(gelu(h W + b)) E' + c, at the positions asked for
        next logits  = tanh(h_[CLS] W_p + b_p) W_n + b_n

    E is the matrix of the token embedding. The tokens' logits are computed at the M
    positions asked for and not at all T, as most of what this costs lies in the V
    columns of E: with one token in seven hidden, that is a seventh of the time and of
    the memory. `PretrainingBatches` makes the inputs, the positions and the labels.

    Args:
        bert: A `Bert`, with weights or new; it is not copied, and learns along.
        next_sentence: Whether there is the second head. Text without an order of its
            sentences has nothing to teach it.

    Inputs:
        {"token_ids": (B, T), "segment_ids": (B, T), "positions": (B, M)}, int32;
        positions are 0 where nothing is asked.

    Outputs:
        {"tokens": (B, M, V)}, logits, with the mask of the positions; with
        `next_sentence` also {"next": (B, 2)}, logits of "it follows" and "it does not".

    Attributes:
        bert, next_sentence: The same.
        pooler: The layer that makes a vector of `[CLS]` for the second head, and for a
            `BertClassifier`; None without that head.

    Raises:
        TypeError: If `bert` is something else.

    Source:
        Devlin et al., 2019, sections 3.1 and A.1, and the authors' code for the layer
        before the tied matrix. Departures: those of `Bert`.

    Example:

    >>> bert = Bert(vocab_size=30, num_layers=2, d_model=12, num_heads=3, d_ff=24)
    >>> pretraining = BertPretraining(bert)
    >>> ids = np.array([[2, 5, 4, 3, 7, 3, 0]])
    >>> inputs = {"token_ids": ids, "segment_ids": ids * 0, "positions": ids[:, 2:3]}
    >>> outputs = pretraining(inputs)
    >>> outputs["tokens"].shape, outputs["next"].shape
    ((1, 1, 30), (1, 2))
    """

    def __init__(self, bert, next_sentence=True, name="bert_pretraining", **kwargs):
        require_bert("BertPretraining", bert)
        policy, d_model = bert.dtype_policy, bert.config["d_model"]
        positions = keras.Input((None,), dtype="int32", name="positions")
        gather = GatherPositions(dtype=policy, name="gather")
        transform = keras.layers.Dense(
            d_model, "gelu", dtype=policy, name="token_transform"
        )
        norm = LayerNormalization(epsilon=EPSILON, dtype=policy, name="token_norm")
        bias = OutputBias(dtype=policy, name="token_bias")
        x = norm(transform(gather(positions, bert.output)))  # (B, M, D)
        outputs = {"tokens": bias(bert.embedding.project(x))}
        pooler = next_output = None
        if next_sentence:
            pooler = keras.layers.Dense(d_model, "tanh", dtype=policy, name="pooler")
            next_output = keras.layers.Dense(2, dtype=policy, name="next_output")
            outputs["next"] = next_output(pooler(bert.output[:, 0]))
        inputs, config = {"positions": positions}, {"next_sentence": next_sentence}
        super().__init__(bert, inputs, outputs, config, name=name, **kwargs)
        self.token_transform = transform
        self.token_norm = norm
        self.token_bias = bias
        self.pooler = pooler
        self.next_output = next_output
