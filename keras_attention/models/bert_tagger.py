"""A Bert -> logits (B, M, K): what each word is."""

import keras

from keras_attention.layers.dropout import Dropout
from keras_attention.layers.gather_positions import GatherPositions
from keras_attention.models.bert_head import BertHead, require_bert, require_names


@keras.saving.register_keras_serializable(package="keras_attention")
class BertTagger(BertHead):
    """Give each word of a text one of K labels, seen in its place among the others.

    A word is labelled where its first piece stands; `WordPieceTokenizer.encode_words`
    says where. What is asked at position 0 is masked, so Keras's losses and metrics
    count the real words alone:

        tagger.compile("adam", keras.losses.SparseCategoricalCrossentropy(
            from_logits=True), metrics=["accuracy"])

    Args:
        bert: A `Bert`, loaded or pre-trained; it is not copied, and learns along.
        labels: K str, their names in the order of their ids.
        dropout_rate: Share of each vector dropped in training, in [0, 1).

    Inputs:
        {"token_ids": (B, T), "segment_ids": (B, T), "positions": (B, M)}, int32;
        positions are 0 behind the last word of a row.

    Outputs:
        (B, M, K), logits, with the mask (B, M): True where the position is not 0.

    Raises:
        TypeError: If `bert` is something else, or a label is no str.
        ValueError: If there are fewer than two labels, or one is there twice.

    Source:
        Devlin et al., 2019, sections 4 (figure 4d) and 5.3, the first piece of a word;
        the dropout is that of the authors' code. Departures: those of `Bert`.

    Example:

    >>> bert = Bert(vocab_size=30, num_layers=2, d_model=12, num_heads=3, d_ff=24)
    >>> tagger = BertTagger(bert, ["noun", "verb", "other"])
    >>> ids = np.array([[2, 5, 6, 7, 3]])
    >>> positions = np.array([[1, 3, 0]])
    >>> inputs = {"token_ids": ids, "segment_ids": 0 * ids, "positions": positions}
    >>> tagger(inputs).shape
    (1, 3, 3)
    """

    def __init__(self, bert, labels, dropout_rate=0.1, name="bert_tagger", **kwargs):
        require_bert("BertTagger", bert)
        labels = require_names("BertTagger", labels=labels)
        policy = bert.dtype_policy
        positions = keras.Input((None,), dtype="int32", name="positions")
        gather = GatherPositions(dtype=policy, name="gather")
        dropout = Dropout(dropout_rate, dtype=policy, name="word_dropout")
        output = keras.layers.Dense(len(labels), dtype=policy, name="label_output")
        x = dropout(gather(positions, bert.output))  # (B, M, D)
        config = {"labels": labels, "dropout_rate": dropout_rate}
        inputs = {"positions": positions}
        super().__init__(bert, inputs, output(x), config, name=name, **kwargs)
        self.label_output = output
