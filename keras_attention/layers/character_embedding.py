"""Characters of words (B, T, C) -> vectors of words (B, T, D), by convolution."""

import keras
from keras import ops

from keras_attention.layers.dense import Dense
from keras_attention.layers.highway import Highway
from keras_attention.layers.look_up import look_up
from keras_attention.layers.requirements import require_positive, require_rank
from keras_attention.layers.token_embedding import require_ids_in_vocabulary
from keras_attention.special_tokens import PAD


@keras.saving.register_keras_serializable(package="keras_attention")
class CharacterEmbedding(keras.layers.Layer):
    """Make the vector of a word out of its characters; say which words are padding.

    Each character has a vector. Filters of several widths w slide over a word of l
    characters, and of each filter the largest value is kept: max over i of
    ReLU(<H, characters i to i + w - 1> + b), for i from 1 to max(1, l - w + 1), with
    zeros behind a word that is shorter than its filter. Highway layers and a projection
    follow. So there is a vector for any word, also one that was never seen.

    Args:
        d_model: D, width of the vectors.
        filters: Pairs of a width w in characters and a number of filters.
        num_highways: `Highway` layers behind the filters; 0 for none.
        character_dim: E, width of a character's vector.
        num_characters: Characters; ids from 0, `PAD` is 0. By default those of
            `spell`: the bytes of UTF-8, and marks of where words and sentences begin
            and end.

    Call arguments:
        ids: (B, T, C), int: the characters of each word, then `PAD`.

    Returns:
        (B, T, D), float, with the padding mask (B, T): True where there is a character.

    Raises:
        ValueError: If `ids` has not three axes; if ids given as a list or a NumPy array
            lie outside [0, num_characters).

    Source:
        Kim et al., 2016, "Character-Aware Neural Language Models", section 2.2 (filters
        and highways); Jozefowicz et al., 2016; Peters et al., 2018, section 3.4
        (projection). ReLU is that of the authors of ELMo, Kim has tanh. The padding of
        a word counts for nothing here, so its vector does not depend on C; in the
        authors' code padding is a character like others.

    Example:

    >>> embedding = CharacterEmbedding(d_model=12, filters=[[1, 4], [3, 8]])
    >>> embedding(np.array([[[259, 98, 260, 0], [0, 0, 0, 0]]])).shape
    (1, 2, 12)
    """

    def __init__(
        self,
        d_model,
        filters,
        num_highways=2,
        character_dim=16,
        num_characters=261,
        **kwargs,
    ):
        super().__init__(**kwargs)
        owner = type(self).__name__
        require_positive(
            owner,
            d_model=d_model,
            character_dim=character_dim,
            num_characters=num_characters,
        )
        self.d_model = d_model
        self.filters = require_filters(owner, filters)
        self.num_highways = num_highways
        self.character_dim = character_dim
        self.num_characters = num_characters
        self.supports_masking = True
        dtype = self.dtype_policy
        self.convolutions = [
            keras.layers.Conv1D(
                count, width, activation="relu", dtype=dtype, name=f"width_{width}"
            )
            for width, count in self.filters
        ]
        self.highways = [
            Highway(dtype=dtype, name=f"highway_{index}")
            for index in range(num_highways)
        ]
        self.projection = Dense(d_model, dtype=dtype, name="projection")

    def build(self, ids_shape):
        require_rank(self.name, 3, ids=ids_shape)
        self.table = self.add_weight(
            name="table",
            shape=(self.num_characters, self.character_dim),
            initializer=keras.initializers.RandomUniform(-1, 1),
            autocast=False,
        )
        for convolution in self.convolutions:
            convolution.build((None, None, self.character_dim))
        width = sum(count for _, count in self.filters)
        for layer in (*self.highways, self.projection):
            layer.build((None, None, width))

    def __call__(self, ids, **kwargs):
        ids = require_ids_in_vocabulary(self.name, ids, self.num_characters)
        return super().__call__(ids, **kwargs)

    def call(self, ids):
        batch, length = ops.shape(ids)[:2]
        words = ops.reshape(ids, (-1, ids.shape[-1]))  # (B * T, C)
        x = ops.concatenate(self.largest_values(words), axis=-1)  # (B * T, all filters)
        x = ops.reshape(x, (batch, length, x.shape[-1]))
        for highway in self.highways:
            x = highway(x)
        return self.projection(x)  # (B, T, D)

    def largest_values(self, words):
        """Of each filter the largest value in each word: (B * T, count) each."""
        longest = max(width for width, _ in self.filters)
        words = ops.pad(words, ((0, 0), (0, max(0, longest - words.shape[-1]))))
        real = ops.not_equal(words, PAD)  # (B * T, C)
        x = ops.cast(look_up(self.table, words), self.compute_dtype)
        x = ops.where(real[..., None], x, 0)  # (B * T, C, E)
        values = []
        for (width, _), convolution in zip(self.filters, self.convolutions):
            value = convolution(x)  # (B * T, C - w + 1, count)
            # The first window counts in any word, another if its last character does.
            inside = ops.concatenate(
                [ops.ones_like(real[:, :1]), real[:, width:]], axis=1
            )
            # ReLU is never below the 0 that stands for a window that does not count.
            value = ops.where(inside[..., None], value, 0)
            values.append(ops.max(value, axis=1))  # (B * T, count)
        return values

    def compute_mask(self, ids, previous_mask=None):
        return ops.any(ops.not_equal(ids, PAD), axis=-1)

    def compute_output_shape(self, ids_shape):
        return (*ids_shape[:2], self.d_model)

    def compute_output_spec(self, ids):
        shape = self.compute_output_shape(ids.shape)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "d_model": self.d_model,
            "filters": self.filters,
            "num_highways": self.num_highways,
            "character_dim": self.character_dim,
            "num_characters": self.num_characters,
        }


def require_filters(owner, filters):
    """Return lists of width and count; raise unless there are filters to build."""
    filters = [list(pair) for pair in filters]
    if not filters or not all(len(pair) == 2 for pair in filters):
        raise ValueError(
            f"{owner}: got filters={filters}, but a word's vector is made by filters "
            f"of known width. Give pairs of width and number, such as [[3, 32]]."
        )
    for width, count in filters:
        require_positive(owner, width=width, count=count)
    return filters
