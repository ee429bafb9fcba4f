"""Characters of words (B, T, C) -> the words before and after each: logits (B, T, V)."""

import keras

from keras_attention.layers.bidirectional_lstm import BidirectionalLSTM
from keras_attention.layers.character_embedding import CharacterEmbedding
from keras_attention.layers.dropout import Dropout
from keras_attention.layers.requirements import require_positive, require_rate

# Widths and numbers of the paper's filters, 2,048 in all.
FILTERS = [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]


@keras.saving.register_keras_serializable(package="keras_attention")
class Elmo(keras.Model):
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

        characters = keras.Input((None, max_characters), dtype="int32", name="words")
        word = CharacterEmbedding(d_model, **spelling, dtype=policy, name="embedding")
        both = keras.layers.Concatenate(dtype=policy, name="both_directions")
        x = word(characters)  # (B, T, D)
        x = both([x, x])  # (B, T, 2 D)
        layers = [x]
        for index in range(num_layers):
            dropped = Dropout(dropout_rate, dtype=policy, name=f"dropout_{index}")(x)
            lstm = BidirectionalLSTM(d_model, dtype=policy, name=f"lstm_{index}")
            read = lstm(dropped)
            # A residual connection between the LSTMs, but none around the first.
            residual = keras.layers.Add(dtype=policy, name=f"residual_{index}")
            x = residual([x, read]) if index else read
            layers.append(x)
        ahead = Half(0)
