"""Characters of words (B, T, C) -> the words around each: logits (B, T, V) twice."""

from itertools import zip_longest

import keras
from keras import ops

from keras_attention.layers.bidirectional_lstm import BidirectionalLSTM
from keras_attention.layers.character_embedding import CharacterEmbedding
from keras_attention.layers.dropout import Dropout
from keras_attention.layers.requirements import require_positive, require_rate
from keras_attention.models.configured_model import ConfiguredModel

# Widths and numbers of the paper's filters, 2,048 in all.
FILTERS = [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]


@keras.saving.register_keras_serializable(package="keras_attention")
class Elmo(ConfiguredModel):
    """The bidirectional language model of ELMo, as a functional Keras model.

    A word's vector comes of its characters. Two stacks of LSTMs read on from there, one
    to guess the next word of each place, one to guess the word before; both share the
    words' vectors and the softmax. What the layers know of a word in its sentence then
    serves other tasks: `encoder`.

    Args:
        vocab_size: V, words to be guessed; ids from 0, `PAD` is 0.
        num_layers: LSTMs of each direction.
        d_model: D, width of each direction.
        filters, num_highways, character_dim, num_characters: See `CharacterEmbedding`.
        max_characters: C, ids of a word; see `spell`.
        dropout_rate: Share of what goes into each LSTM and into the softmax dropped in
            training, in [0, 1).
        dtype: Dtype policy of all layers; None takes Keras's global one.

    Inputs:
        (B, T, C), int32, as `spell` and `WordBatches` make them: START, words and END,
        each as its characters, then `PAD`.

    Outputs:
        {"forward": (B, T, V), "backward": (B, T, V)}, logits of the word behind each
        place, from it and the words before it; and of the word before each place, from
        it and the words behind it.

    Raises:
        ValueError: For sizes below 1, filters that are none, or a rate outside [0, 1).

    Source:
        Peters et al., 2018, "Deep contextualized word representations", sections 3.1
        and 3.4; the defaults are its sizes. Departures: the LSTMs have D cells each,
        where the paper projects from 4,096 to 512; the softmax is over all words,
        where the authors sample; sentences stand alone, where the authors let the
        LSTMs go on from one batch to the next.

    Example:

    >>> elmo = Elmo(vocab_size=11, d_model=6, filters=[[1, 4], [3, 8]])
    >>> characters = np.array([[[259, 257, 260], [259, 98, 260], [259, 258, 260]]])
    >>> elmo(np.pad(characters, ((0, 0), (0, 0), (0, 47))))["forward"].shape
    (1, 3, 11)
    """

    def __init__(
        self,
        vocab_size,
        num_layers=2,
        d_model=512,
        filters=FILTERS,
        num_highways=2,
        character_dim=16,
        num_characters=261,
        max_characters=50,
        dropout_rate=0.1,
        dtype=None,
        name="elmo",
        **kwargs,
    ):
        sizes = {
            "vocab_size": vocab_size,
            "num_layers": num_layers,
            "d_model": d_model,
            "max_characters": max_characters,
        }
        spelling = {
            "filters": [list(pair) for pair in filters],
            "num_highways": num_highways,
            "character_dim": character_dim,
            "num_characters": num_characters,
        }
        require_positive("Elmo", **sizes)
        require_rate("Elmo", dropout_rate=dropout_rate)
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())

        characters = keras.Input(
            (None, max_characters), dtype="int32", name="characters"
        )
        embedding = CharacterEmbedding(
            d_model, **spelling, dtype=policy, name="embedding"
        )
        lstms = [
            BidirectionalLSTM(d_model, dtype=policy, name=f"lstm_{index}")
            for index in range(num_layers)
        ]
        dropouts = [
            Dropout(dropout_rate, dtype=policy, name=f"dropout_{index}")
            for index in range(num_layers + 1)
        ]
        softmax = keras.layers.Dense(vocab_size, dtype=policy, name="softmax")
        *_, x = read(characters, embedding, lstms, dropouts)
        ahead, back = ops.split(dropouts[-1](x), 2, axis=-1)  # (B, T, D)
        logits = {"forward": softmax(ahead), "backward": softmax(back)}  # (B, T, V)
        super().__init__(characters, logits, name=name, **kwargs)
        self.config = {**sizes, **spelling, "dropout_rate": dropout_rate}
        self.dtype_policy = policy
        self.embedding = embedding
        self.lstms = lstms
        self.softmax = softmax

    def encoder(self):
        """The layers' vectors of each word, for `ScalarMix` and a task behind it.

        Returns:
            A `keras.Model` of the same weights, without the softmax and the dropout:
            characters (B, T, C) to (B, T, L * 2 D), with the padding mask. L is
            `num_layers` + 1: the word's vector, twice, as it is the same in both
            directions; then those of the LSTMs, forward and backward. Set its
            `trainable` to False to keep the weights as they are.

        Source:
            Peters et al., 2018, sections 3.2 and 3.3.

        Example:

        >>> elmo = Elmo(vocab_size=11, d_model=6, filters=[[1, 4], [3, 8]])
        >>> encoder = elmo.encoder()
        >>> characters = keras.Input((None, 50), dtype="int32")
        >>> word_vectors = ScalarMix(num_layers=3)(encoder(characters))
        >>> word_vectors.shape
        (None, None, 12)
        """
        characters = keras.Input(self.input.shape[1:], dtype="int32", name="characters")
        layers = read(characters, self.embedding, self.lstms)
        together = keras.layers.Concatenate(dtype=self.dtype_policy, name="layers")
        return keras.Model(characters, together(layers), name=f"{self.name}_encoder")


def read(characters, embedding, lstms, dropouts=()):
    """Characters (B, T, C) -> the vectors of all layers, (B, T, 2 D) each.

    A residual connection leads around each LSTM but the first.
    """
    dtype = embedding.dtype_policy
    word = embedding(characters)  # (B, T, D)
    layers = [keras.layers.Concatenate(dtype=dtype, name="word")([word, word])]
    for index, (lstm, dropout) in enumerate(zip_longest(lstms, dropouts[:-1])):
        x = layers[-1]
        hidden = lstm(dropout(x) if dropout else x)
        if index:
            residual = keras.layers.Add(dtype=dtype, name=f"residual_{index}")
            hidden = residual([x, hidden])
        layers.append(hidden)
    return layers
