"""Token ids (B, T) -> vectors (B, T, D); and back: vectors -> logits (B, T, V)."""

import math

import keras
import numpy as np
from keras import ops

from keras_attention.layers.look_up import look_up
from keras_attention.layers.requirements import require_positive
from keras_attention.special_tokens import PAD


@keras.saving.register_keras_serializable(package="keras_attention")
class TokenEmbedding(keras.layers.Layer):
    """Look up the vector of each token, times sqrt(D); say which tokens are padding.

    The same matrix, transposed, turns vectors back into logits: `project`.

    Args:
        vocab_size: V, tokens; ids run from 0 to V - 1.
        d_model: D, width of the vectors.
        scaled: Multiply the vectors by sqrt(D), as in the paper.
        use_bias: Add a bias to each token's logit; the paper has none.

    Call arguments:
        ids: (B, T), int.

    Returns:
        (B, T, D), float, with the padding mask (B, T): True where the id is not
        `PAD`, 0.

    Raises:
        ValueError: If ids given as a list or a NumPy array lie outside [0, V). Ids
            that are tensors are not looked at: what comes of a wrong one is up to
            the backend (an error on TensorFlow's CPU, NaN on JAX).

    Source:
        Vaswani et al., 2017, section 3.4. Drawn from a normal distribution of
        variance 1 / D, so that both the scaled vectors and the logits start with
        variance 1, as in the authors' code; the paper says nothing of it.

    Example:

    >>> embedding = TokenEmbedding(vocab_size=11, d_model=12)
    >>> x = embedding(np.array([[5, 7, 0]]))
    >>> x.shape, embedding.project(x).shape
    ((1, 3, 12), (1, 3, 11))
    """

    def __init__(self, vocab_size, d_model, scaled=True, use_bias=False, **kwargs):
        super().__init__(**kwargs)
        require_positive(type(self).__name__, vocab_size=vocab_size, d_model=d_model)
        self.vocab_size = vocab_size
        self.d_model = d_model
        self.scaled = scaled
        self.use_bias = use_bias
        self.supports_masking = True

    def build(self, ids_shape=None):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.vocab_size, self.d_model),
            initializer=keras.initializers.RandomNormal(stddev=self.d_model**-0.5),
            autocast=False,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.vocab_size,), initializer="zeros"
            )

    def __call__(self, ids, project=False, **kwargs):
        if not project:
            ids = require_ids_in_vocabulary(self.name, ids, self.vocab_size)
        return super().__call__(ids, project=project, **kwargs)

    def call(self, ids, project=False):
        if project:
            matrix = ops.cast(self.embeddings, self.compute_dtype)
            logits = ops.matmul(ids, ops.transpose(matrix))  # (B, T, V)
            return logits + self.bias if self.use_bias else logits
        vectors = look_up(self.embeddings, ids)  # (B, T, D)
        vectors = ops.cast(vectors, self.compute_dtype)
        return vectors * math.sqrt(self.d_model) if self.scaled else vectors

    def project(self, x):
        """Score every token of the vocabulary by its fit to each vector.

        Args:
            x: (B, T, D), float.

        Returns:
            (B, T, V) logits, float. A padding mask on `x` passes through unchanged.

        Source:
            Vaswani et al., 2017, section 3.4; Press and Wolf, 2017.
        """
        return self(x, project=True)

    def compute_mask(self, inputs, previous_mask=None):
        if keras.backend.is_float_dtype(inputs.dtype):
            return previous_mask
        return ops.not_equal(inputs, PAD)

    def compute_output_shape(self, ids_shape):
        return (*ids_shape, self.d_model)

    def compute_output_spec(self, ids, project=False):
        shape = (
            (*ids.shape[:-1], self.vocab_size)
            if project
            else (*ids.shape, self.d_model)
        )
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "d_model": self.d_model,
            "scaled": self.scaled,
            "use_bias": self.use_bias,
        }


def require_ids_in_vocabulary(owner, ids, vocab_size):
    """Return `ids`; raise if they are a list or an array with one outside [0, V).

    Tensors are returned unread: to read them would stop a GPU, and a graph has
    nothing to read yet.
    """
    if not isinstance(ids, (list, tuple, np.ndarray)):
        return ids
    ids = np.asarray(ids)
    if not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(
            f"{owner}: got ids of dtype {ids.dtype}, but ids are whole numbers. Give "
            f"token ids as int32; a tokenizer makes them of text."
        )
    wrong = ids[(ids < 0) | (ids >= vocab_size)]
    if wrong.size:
        raise ValueError(
            f"{owner}: got the id {wrong[0]} ({wrong.size} of {ids.size} ids are "
            f"outside), but vocab_size={vocab_size} has ids from 0 to "
            f"{vocab_size - 1}. Use the tokenizer that the model was made for, or "
            f"give the model that tokenizer's vocab_size."
        )
    return ids.astype("int32")
