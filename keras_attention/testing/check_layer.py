"""A user's own layer -> which promises it keeps, or in words which ones it breaks."""

import functools
import warnings
from collections.abc import Callable, Sequence

import keras

from keras_attention.testing import promises
from keras_attention.testing.layer_case import LayerCase

PROMISES = {
    "no leak": (
        promises.no_leak,
        functools.partial(promises.no_leak, training=True),
        promises.sentences_are_apart,
    ),
    "padding": (
        promises.mask_passes_on,
        promises.padding_changes_nothing,
        promises.padding_alone_stays_finite,
    ),
    "cache": (promises.cached_is_uncached,),
    "precision": (
        functools.partial(promises.mixed_precision, policy="mixed_bfloat16"),
        functools.partial(promises.mixed_precision, policy="mixed_float16"),
    ),
    "serialization": (promises.config_makes_the_same_layer, promises.saved_is_loaded),
    "gradients": (promises.every_weight_learns,),
    "lengths": (promises.lengths_may_be_unknown,),
    "training": (
        promises.nothing_is_drawn_outside_of_training,
        promises.the_seed_decides_what_is_drawn,
    ),
}


class BrokenPromises(AssertionError):
    """A layer breaks promises, and the message says which, and what was found.

    Attributes:
        broken: {name of a promise: what was found}.
    """

    def __init__(self, layer, broken, kept):
        self.broken = broken
        lines = [f"- {name}: {found}" for name, found in broken.items()]
        super().__init__(
            f"check_layer: {layer} breaks {len(broken)} of {len(broken) + len(kept)} "
            f"promises.\n" + "\n".join(lines) + f"\nKept: {', '.join(kept) or 'none'}."
        )


def check_layer(
    make_layer: Callable,
    *input_shapes: Sequence[int],
    causal: bool = False,
    skip: Sequence[str] = (),
) -> list[str]:
    """Check that a layer of attention, or any from vectors to vectors, is sound.

    Needs no pytest, and runs on each backend of Keras. The promises:

    * "no leak": causal, an output depends on no later position of the first input, to
      the bit, in training too; and in any case on no other sentence of the batch.
    * "padding": what a mask hides, and more padding behind, moves no visible output;
      the mask passes on; a sentence of padding alone stays finite.
    * "cache": causal, with `empty_cache(rows, max_length)` and `step(x (R, D), cache,
      index) -> (y, cache)`, it gives token by token what it gives at once.
    * "precision": under mixed_bfloat16 and mixed_float16 the weights are float32, the
      outputs of half the bits, and near those of float32.
    * "serialization": the config makes the same layer again, and a saved model loads
      without custom objects and gives the same to the bit.
    * "gradients": one step moves every weight, and all stay finite.
    * "lengths": batch and length may be unknown, and of any size.
    * "training": nothing is drawn outside of training, and in it what the seed says.

    Args:
        make_layer: Makes a new layer: its class, or a function that hands on `dtype`,
            as in `lambda **kwargs: MyAttention(num_heads=3, **kwargs)`.
        *input_shapes: One for each argument of the layer's call: (B, T, D), numbers;
            use B of at least 2, T of at least 4, and different sizes, so that a
            swapped axis shows. Further inputs with T of their own may be memories.
        causal: The layer hides the future.
        skip: Names of promises that are not asked for.

    Returns:
        The names of the promises that it was asked for, all of which it keeps.

    Raises:
        BrokenPromises: With each promise that it breaks, and what was found.
        ValueError: If a shape has not three axes, is too small for a promise to be
            seen broken, or `skip` holds something else.

    Example:

    >>> check_layer(lambda **kw: MultiHeadSelfAttention(3, **kw), (2, 5, 12))[0]
    'no leak'
    """
    require_shapes(input_shapes)
    require_names(skip)
    case = LayerCase(make_layer, shapes=input_shapes, sees_future=not causal)
    broken, kept = {}, []
    for name, parts in PROMISES.items():
        parts = [part for part in parts if is_asked_for(part, case)]
        if name in skip or not parts:
            continue
        found = what_is_broken(parts, case)
        if found is None:
            kept.append(name)
        else:
            broken[name] = found
    if broken:
        raise BrokenPromises(type(make_layer()).__name__, broken, kept)
    return kept


def is_asked_for(part, case):
    """Whether a promise is one that this layer gives."""
    function = getattr(part, "func", part)
    if function is promises.no_leak:
        return not case.sees_future
    if function is promises.cached_is_uncached:
        return not case.sees_future and promises.has_cache(case)
    return True


def what_is_broken(parts, case):
    """What the first broken part of a promise found, or None."""
    for part in parts:
        keras.utils.set_random_seed(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # as of a softmax over one position
                part(case)
        except AssertionError as error:
            return str(error)
        except Exception as error:  # whatever a layer of someone else's raises
            what = (getattr(part, "func", part).__doc__ or "").splitlines()[0]
            return f"{type(error).__name__} where this was tried: {what} {error}"
    return None


def require_shapes(shapes):
    """Raise ValueError unless broken promises could be seen on these shapes."""
    if not shapes:
        raise ValueError(
            "check_layer: got no shape, but needs one for each input of the layer. "
            "Give (2, 5, 12), for example."
        )
    for shape in shapes:
        if len(shape) != 3 or shape[0] < 2 or shape[1] < 4 or shape[0] != shapes[0][0]:
            raise ValueError(
                f"check_layer: got the input shapes {list(map(tuple, shapes))}, but "
                f"each is (B, T, D), with one B of at least 2 and T of at least 4, as "
                f"on less nothing shows. Give (2, 5, 12), for example."
            )


def require_names(skip):
    """Raise ValueError unless all these promises are there."""
    unknown = [name for name in skip if name not in PROMISES]
    if isinstance(skip, str) or unknown:
        raise ValueError(
            f"check_layer: got skip={skip!r}, but it is a list of names of promises: "
            f"{', '.join(PROMISES)}. Use some of these."
        )
