"""A sound layer keeps every promise, and a broken one is told which it breaks."""

import pathlib

import keras
import pytest
from keras import ops

import keras_attention as ka
import keras_attention.testing
from keras_attention.testing import BrokenPromises, check_layer
from keras_attention.testing.check_layer import PROMISES

SHAPE, MEMORY = (2, 5, 12), (2, 7, 8)
# On JAX each shape of each operation is compiled, which takes ten times as long.
quicker_on_tensorflow = pytest.mark.tensorflow

TAKE_LONGEST = {"precision", "serialization", "training"}
ALL, ALL_BUT_CACHE = list(PROMISES), [name for name in PROMISES if name != "cache"]


@keras.saving.register_keras_serializable(package="tests")
class Attention(keras.layers.Layer):
    """Causal attention with one head, in few lines; the broken ones change one."""

    def __init__(self, scale=0.3, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.supports_masking = True

    def build(self, x_shape):
        shape = (x_shape[-1], x_shape[-1])
        self.query, self.key, self.value = (
            self.add_weight(shape, name=name) for name in ("query", "key", "value")
        )

    def call(self, x, mask=None, training=None):
        seen = self.seen(ops.arange(ops.shape(x)[1]), mask)
        return self.attend(x, x, seen)

    def seen(self, position, mask):
        seen = (position[:, None] >= position[None, :])[None]  # (1, T, T)
        return seen if mask is None else ops.logical_and(seen, mask[:, None, :])

    def attend(self, x, known, seen):
        query, key, value = x @ self.query, known @ self.key, known @ self.value
        scores = query @ ops.transpose(key, (0, 2, 1)) * self.scale
        scores = ops.where(seen, ops.cast(scores, "float32"), -1e9)
        return ops.cast(ops.softmax(scores), value.dtype) @ value

    def empty_cache(self, rows, max_length):
        return []

    def step(self, x, cache, index):
        cache = [*cache, x[:, None]]
        known = ops.concatenate(cache, axis=1)
        return self.attend(x[:, None], known, True)[:, 0], cache

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="tests")
class SelfAttention(keras.layers.Layer):
    """`keras.layers.MultiHeadAttention`, with queries and keys from one input."""

    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.key_dim = num_heads, key_dim
        self.supports_masking = True
        self.attention = keras.layers.MultiHeadAttention(
            num_heads, key_dim, dropout=0.4, dtype=self.dtype_policy
        )

    def build(self, x_shape):
        self.attention.build(x_shape, x_shape)

    def call(self, x, mask=None, training=None):
        return self.attention(
            x,
            x,
            attention_mask=None if mask is None else mask[:, None, :],
            use_causal_mask=True,
            training=training,
        )

    def get_config(self):
        own = {"num_heads": self.num_heads, "key_dim": self.key_dim}
        return {**super().get_config(), **own}


def test_a_sound_layer_keeps_all_promises():
    assert check_layer(Attention, SHAPE, causal=True) == ALL


@quicker_on_tensorflow
@pytest.mark.parametrize(
    "make, shapes, asked",
    [
        (lambda **kw: SelfAttention(3, 4, **kw), [SHAPE], ALL_BUT_CACHE),
        (lambda **kw: ka.EncoderLayer(3, 11, causal=True, **kw), [SHAPE], ALL),
        (
            lambda **kw: ka.MultiHeadCrossAttention(3, dropout_rate=0.4, **kw),
            [SHAPE, MEMORY],
            ALL_BUT_CACHE,
        ),
    ],
    ids=["Keras", "EncoderLayer", "MultiHeadCrossAttention"],
)
def test_keras_s_and_our_layers_keep_all_that_they_are_asked_for(make, shapes, asked):
    assert check_layer(make, *shapes, causal=True) == asked


@quicker_on_tensorflow
def test_a_layer_that_sees_both_sides_is_not_asked_to_look_back_only():
    make = lambda **kw: ka.MultiHeadSelfAttention(3, **kw)  # noqa: E731
    kept = check_layer(make, SHAPE, skip=["serialization", "precision", "lengths"])
    assert kept == ["no leak", "padding", "gradients", "training"]
    with pytest.raises(BrokenPromises, match="no leak: a change of the input at"):
        check_layer(make, SHAPE, causal=True, skip=ALL[1:])


@keras.saving.register_keras_serializable(package="tests")
class LooksAhead(Attention):
    def seen(self, position, mask):
        ahead = (position[:, None] + 1 >= position[None, :])[None]
        return ahead if mask is None else ops.logical_and(ahead, mask[:, None, :])

    step = property()  # so that nothing is asked of its cache


@keras.saving.register_keras_serializable(package="tests")
class MixesSentences(Attention):
    def call(self, x, mask=None, training=None):
        return super().call(x, mask) + 0.1 * ops.mean(x[:, :1], axis=0)

    step = property()


@keras.saving.register_keras_serializable(package="tests")
class SeesPadding(Attention):
    def seen(self, position, mask):
        return super().seen(position, None)


@keras.saving.register_keras_serializable(package="tests")
class KeepsTheMask(Attention):
    def compute_mask(self, x, previous_mask=None):
        return None


@keras.saving.register_keras_serializable(package="tests")
class ForgetsItsCache(Attention):
    def step(self, x, cache, index):
        return super().step(x, cache, index)[0], cache


@keras.saving.register_keras_serializable(package="tests")
class AnswersInFloat32(Attention):
    def attend(self, x, known, seen):
        return ops.cast(super().attend(x, known, seen), "float32")


@keras.saving.register_keras_serializable(package="tests")
class ForgetsItsArgument(Attention):
    def get_config(self):
        return {k: v for k, v in super().get_config().items() if k != "scale"}


class IsNotRegistered(Attention):
    pass


@keras.saving.register_keras_serializable(package="tests")
class HasAWeightTooMany(Attention):
    def build(self, x_shape):
        super().build(x_shape)
        self.add_weight((3,), name="idle")


@keras.saving.register_keras_serializable(package="tests")
class KnowsOneLength(Attention):
    def call(self, x, mask=None, training=None):
        length = x.shape[1] or 5
        return super().call(ops.reshape(x, (-1, length, x.shape[-1])), mask)


@keras.saving.register_keras_serializable(package="tests")
class CallsItself(Attention):
    def call(self, x, mask=None, training=None):
        if training is False:  # and not where it is left out
            return super().call(x, mask)
        return 0.9 * super().call(x, mask)

    step = property()


@quicker_on_tensorflow
@pytest.mark.parametrize(
    "layer, promise, found",
    [
        (LooksAhead, "no leak", r"position 1 and later moved the outputs at \[0\]"),
        (MixesSentences, "no leak", "sentence 0 alone and among others gives outputs"),
        (SeesPadding, "padding", r"where the mask is False moved .* \[\[0, 2\]"),
        (KeepsTheMask, "padding", "Set supports_masking = True"),
        (
            ForgetsItsCache,
            "cache",
            r"step\(\) at position 1, empty_cache\(max_length=7",
        ),
        (AnswersInFloat32, "precision", "the outputs are float32 and not bfloat16"),
        (ForgetsItsArgument, "serialization", r"the config lacks \['scale'\]"),
        (IsNotRegistered, "serialization", "TypeError where this was tried: A saved"),
        (HasAWeightTooMany, "gradients", "did not move .*idle"),
        (KnowsOneLength, "lengths", r"outputs \(None, 5, 12\), and not \(None, None"),
        (CallsItself, "training", "training=False gives other outputs"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_layer_is_told_which_promise_it_breaks(layer, promise, found):
    with pytest.raises(BrokenPromises, match=found) as caught:
        others = sorted(TAKE_LONGEST - {promise})
        check_layer(layer, SHAPE, causal=True, skip=others)
    assert set(caught.value.broken) == {promise}
    head, line, kept = str(caught.value).split("\n", 2)
    assert head.startswith(f"check_layer: {layer.__name__} breaks 1 of ")
    assert line.startswith(f"- {promise}: ") and promise not in kept.split("Kept: ")[1]


@keras.saving.register_keras_serializable(package="tests")
class BreaksMuch(Attention):
    def call(self, x, mask=None, training=None):
        noise = keras.random.normal(ops.shape(x), dtype=x.dtype)
        return ops.cast(x + ops.mean(x, axis=1, keepdims=True) + noise, "float32")


@quicker_on_tensorflow
def test_all_that_is_broken_is_listed():
    with pytest.raises(BrokenPromises) as caught:
        check_layer(BreaksMuch, SHAPE, causal=True)
    assert set(caught.value.broken) == set(ALL) - {"lengths"}
    assert "breaks 7 of 8 promises" in str(caught.value)
    assert str(caught.value).endswith("Kept: lengths.")


@pytest.mark.parametrize("shapes", [[], [(2, 5)], [(1, 5, 12)], [SHAPE, (3, 7, 8)]])
def test_shapes_on_which_nothing_shows_are_refused(shapes):
    with pytest.raises(ValueError, match="check_layer: got .* Give .2, 5, 12."):
        check_layer(Attention, *shapes)


@pytest.mark.parametrize("skip", ["padding", ["leak"]])
def test_a_promise_that_there_is_not_is_refused(skip):
    with pytest.raises(ValueError, match="check_layer: got skip=.* no leak, padding"):
        check_layer(Attention, SHAPE, skip=skip)


def test_it_needs_no_pytest():
    folder = pathlib.Path(keras_attention.testing.__file__).parent
    for path in folder.glob("*.py"):
        assert "import pytest" not in path.read_text(encoding="utf-8")
