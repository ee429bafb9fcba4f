"""A Bert -> logits (B, C): what a text, or a pair of texts, is."""

import keras

from keras_attention.layers.dropout import Dropout
from keras_attention.models.bert_head import BertHead, require_bert, require_names


@keras.saving.register_keras_serializable(package="keras_attention")
class BertClassifier(BertHead):
    """Tell to which of C classes a text belongs, or a pair of them.

        logits = dropout(tanh(h_[CLS] W_p + b_p)) W + b

    Args:
        bert: A `Bert`, loaded or pre-trained; it is not copied, and learns along.
            `bert.trainable = False` trains the head alone.
        classes: C str, their names in the order of their ids.
        dropout_rate: Share of the pooled vector dropped in training, in [0, 1).

    Inputs:
        {"token_ids": (B, T), "segment_ids": (B, T)}, int32.

    Outputs:
        (B, C), logits.

    Attributes:
        bert, classes, dropout_rate: The same.
        pooler: The layer that makes a vector of `[CLS]`. To start from one that was
            pre-trained: `classifier.pooler.set_weights(pretraining.pooler.
            get_weights())`.

    Raises:
        TypeError: If `bert` is something else, or a class is no str.
        ValueError: If there are fewer than two classes, or one is there twice.

    Source:
        Devlin et al., 2019, section 4.1; the dropout is that of the authors' code.
        Departures: those of `Bert`.

    Example:

    >>> bert = Bert(vocab_size=30, num_layers=2, d_model=12, num_heads=3, d_ff=24)
    >>> classifier = BertClassifier(bert, ["good", "bad"])
    >>> ids = np.array([[2, 5, 6, 3, 0]])
    >>> classifier({"token_ids": ids, "segment_ids": 0 * ids}).shape
    (1, 2)
    """

    def __init__(
        self, bert, classes, dropout_rate=0.1, name="bert_classifier", **kwargs
    ):
        require_bert("BertClassifier", bert)
        classes = require_names("BertClassifier", classes=classes)
        policy, d_model = bert.dtype_policy, bert.config["d_model"]
        pooler = keras.layers.Dense(d_model, "tanh", dtype=policy, name="pooler")
        dropout = Dropout(dropout_rate, dtype=policy, name="pooled_dropout")
        output = keras.layers.Dense(len(classes), dtype=policy, name="class_output")
        pooled = pooler(bert.output[:, 0])  # (B, D)
        config = {"classes": classes, "dropout_rate": dropout_rate}
        outputs = output(dropout(pooled))
        super().__init__(bert, {}, outputs, config, name=name, **kwargs)
        self.pooler = pooler
        self.class_output = output
