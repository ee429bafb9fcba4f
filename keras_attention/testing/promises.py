"""A layer and its inputs -> nothing, or in words what it broke.

Each promise is a function of a `LayerCase` that raises an `AssertionError` where the
layer does not keep it. The contract tests of this package run them over its own layers,
and `check_layer` over anyone's.
"""

import inspect
import pathlib
import tempfile

import keras
import numpy as np
from keras import ops

from keras_attention.testing.layer_case import numpy, random_masks, same_draws

# Of a float32 result of size about 1: 8 bits of mantissa in bfloat16, 11 in float16.
TOLERANCES = {"mixed_bfloat16": 0.1, "mixed_float16": 0.012, "bfloat16": 0.1}


def no_leak(case, training=False, **kwargs):
    """A change of the first input at position t moves no output before t by one bit."""
    model = case.model(**kwargs)
    run = same_draws(model) if training else lambda inputs: numpy(model(inputs))
    require_no_leak(run, case)


def require_no_leak(run, case):
    """Raise unless `run(inputs)` of a case looks only back, and does look there."""
    moved = moved_positions(run, case.inputs(seed=0), case.inputs(seed=1))
    for t, positions in enumerate(moved, start=1):
        early = np.flatnonzero(positions[:t]).tolist()
        require(
            not early,
            f"a change of the input at position {t} and later moved the outputs at "
            f"{early}, which may not know of it. Hide the future: query t may see "
            f"key s only where s <= t.",
        )
        require(
            any(positions[t:]),
            f"a change of the input at position {t} and later moved no output at all. "
            f"Let a position see itself.",
        )


def moved_positions(run, inputs, changed):
    """For each t, which outputs move when the first input changes from t on."""
    before = run(inputs)
    moved = []
    for t in range(1, inputs[0].shape[1]):
        first = np.concatenate([inputs[0][:, :t], changed[0][:, t:]], axis=1)
        after = run([first, *inputs[1:]])
        moved.append(np.any(after != before, axis=(0, 2)).tolist())
    return moved


def sentences_are_apart(case):
    """A sentence alone gives the same as among others."""
    model, inputs = case.model(), case.inputs()
    together = numpy(model(inputs))
    for row in range(len(together)):
        alone = numpy(model([x[row : row + 1] for x in inputs]))
        require_close(
            alone[0],
            together[row],
            1e-6,
            f"sentence {row} alone and among others gives outputs",
            "Let nothing pass from one row of the batch to another.",
        )


def mask_passes_on(case):
    """The mask of the first input comes out with the outputs."""
    masks = random_masks(case)
    _, passed = case.masked_model()([case.inputs(), masks])
    passed = numpy(passed)
    require(
        not (passed == -1).all(),
        "the mask of the first input does not come out with the outputs, so what is "
        "behind takes padding for tokens. Set supports_masking = True.",
    )
    require(
        np.array_equal(passed, masks[0]),
        f"the mask of the first input is {masks[0].astype(int).tolist()}, and that of "
        f"the outputs {passed.astype(int).tolist()}. Pass it on as it is.",
    )


def padding_changes_nothing(case):
    """What a mask hides, and more padding behind, moves no output that is visible."""
    model, masks = case.masked_model(), random_masks(case)
    inputs, others = case.inputs(seed=0), case.inputs(seed=1)
    before = numpy(model([inputs, masks])[0])
    swapped = list(map(where_visible, masks, inputs, others))
    after = numpy(model([swapped, masks])[0])
    moved = np.argwhere(np.any(after != before, axis=-1) & masks[0]).tolist()
    require(
        not moved,
        f"other values where the mask is False moved the outputs at (sentence, "
        f"position) {moved}, which are visible. Give hidden keys a score that leaves "
        f"them no weight, before the softmax.",
    )
    longer = [lengthen(x, value=9) for x in inputs]
    longer_masks = [lengthen(mask, value=False) for mask in masks]
    long = numpy(model([longer, longer_masks])[0])[:, : before.shape[1]]
    require_close(
        long[masks[0]],
        before[masks[0]],
        1e-6,
        "without and with 4 more positions of padding behind, there are outputs",
        "Let results depend on the number of visible positions, and not on the length.",
    )


def where_visible(mask, x, other):
    """x, and quite different values where it is hidden; ids stay in the vocabulary."""
    if x.ndim == 2:
        return np.where(mask, x, other)
    return np.where(mask[..., None], x, 100 * other)


def lengthen(x, value):
    """Four more positions, (B, T, ...) -> (B, T + 4, ...), that hold a value."""
    widths = [(0, 4 if axis == 1 else 0) for axis in range(x.ndim)]
    return np.pad(x, widths, constant_values=value)


def cached_is_uncached(case):
    """Token by token with a cache gives what all at once gives."""
    layer, (x,) = case.make(), case.inputs()
    expected = numpy(case.connect(layer, x))
    for max_length in (x.shape[1] + 2, None):
        cache = layer.empty_cache(len(x), max_length)
        for index in range(x.shape[1]):
            token = ops.convert_to_tensor(x[:, index])
            found, cache = layer.step(token, cache, index)
            require_close(
                numpy(found),
                expected[:, index],
                1e-5,
                f"step() at position {index}, empty_cache(max_length={max_length}), "
                f"and call() give outputs",
                "Let step() see the tokens before it in the cache, and no others.",
            )


def has_cache(case):
    """Whether the layer can be run token by token: `empty_cache`, `step`."""
    layer = case.make()
    return len(case.shapes) == 1 and all(
        hasattr(layer, name) for name in ("empty_cache", "step")
    )


def mixed_precision(case, policy, **kwargs):
    """Half the bits: float32 weights, outputs of the right dtype and near float32's."""
    full = case.model(**kwargs, dtype="float32")
    half = case.model(**kwargs, dtype=policy)
    for weight, original in zip(half.trainable_variables, full.trainable_variables):
        weight.assign(ops.cast(original, weight.dtype))
    outputs = half(case.inputs())
    dtype, wanted = keras.backend.standardize_dtype(outputs.dtype), half_of(policy)
    require(
        dtype == wanted,
        f"under {policy} the outputs are {dtype} and not {wanted}. Cast tables and "
        f"constants to the dtype of the inputs.",
    )
    variable_dtype = "float32" if policy.startswith("mixed") else policy
    others = {w.path: w.dtype for w in half.weights if w.dtype != variable_dtype}
    others = {path: dtype for path, dtype in others.items() if "float" in dtype}
    require(
        not others,
        f"under {policy} there are weights {others}, but they are kept in "
        f"{variable_dtype}. Make sub-layers with dtype=self.dtype_policy.",
    )
    require(
        np.isfinite(numpy(outputs)).all(),
        f"under {policy} outputs are not finite. Compute the softmax in float32, and "
        f"mask with a number that the dtype holds.",
    )
    require_close(
        numpy(outputs),
        numpy(full(case.inputs())),
        TOLERANCES[policy],
        f"under {policy} and under float32 there are outputs",
        "Compute the softmax, sums over many positions and tables in float32.",
    )


def half_of(policy):
    """mixed_bfloat16, bfloat16 -> bfloat16."""
    return policy.split("_")[-1]


def config_makes_the_same_layer(case):
    """`get_config` gives all that `from_config` needs to make the same again."""
    layer = case.make()
    config = layer.get_config()
    again = type(layer).from_config(config).get_config()
    require(
        again == config,
        f"a layer made from the config {config} has the config {again}. Let "
        f"get_config list each argument of the constructor, with its value.",
    )
    arguments = set(inspect.signature(type(layer)).parameters) - {"args", "kwargs"}
    missing = sorted(arguments - set(config))
    require(
        not missing,
        f"the config lacks {missing}, so a loaded layer would have their defaults. Let "
        f"get_config list each argument of the constructor.",
    )


def saved_is_loaded(case):
    """A saved model loads without custom objects, and gives the same to the bit."""
    model = case.model()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.saving.load_model(path)
    require_equal_to_the_bit(model, loaded, case.inputs())


def require_equal_to_the_bit(model, loaded, inputs):
    """Raise unless two models have equal weights and give equal results."""
    saved, found = (
        [(weight.name, tuple(weight.shape)) for weight in m.weights]
        for m in (model, loaded)
    )
    require(
        found == saved,
        f"saved with the weights {saved}, it is loaded with {found}. Make all weights "
        f"in build, and build sub-layers there.",
    )
    for old, new in zip(model.weights, loaded.weights):
        require(
            np.array_equal(numpy(old), numpy(new)),
            f"the weight {old.path} has other values when it is loaded.",
        )
    require(
        np.array_equal(numpy(model(inputs)), numpy(loaded(inputs))),
        "loaded again with equal weights, it gives other outputs. Let get_config list "
        "each argument of the constructor, with its value.",
    )


def every_weight_learns(case, **kwargs):
    """One step of gradient descent moves every weight, and all stay finite."""
    model, inputs = case.model(**kwargs), case.inputs()
    if not model.trainable_variables:
        return
    before = [numpy(weight) for weight in model.trainable_variables]
    loss = train_once(model, inputs, model(inputs).shape)
    after = [numpy(weight) for weight in model.trainable_variables]
    unmoved = [
        weight.path
        for weight, old, new in zip(model.trainable_variables, before, after)
        if np.array_equal(old, new)
    ]
    require(
        not unmoved,
        f"one step of gradient descent did not move {unmoved}. Use them in call, or "
        f"leave them out; the bias of a key projection cancels in the softmax.",
    )
    require_finite(model, loss, "one step of gradient descent")


def padding_alone_stays_finite(case):
    """A sentence of nothing but padding leaves outputs and weights finite."""
    masked, masks = case.masked_model(), random_masks(case)
    for mask in masks:
        mask[-1] = False
    model = keras.Model(masked.inputs, masked.outputs[0])
    inputs = [*case.inputs(), *masks]
    require(
        np.isfinite(numpy(model(inputs))).all(),
        "a sentence of nothing but padding gives outputs that are not finite. Mask "
        "with a large finite number and not with -inf.",
    )
    if model.trainable_variables:
        loss = train_once(model, inputs, model(inputs).shape)
        require_finite(model, loss, "a sentence of nothing but padding")


def train_once(model, inputs, shape):
    """One step of gradient descent; returns the loss."""
    # Random, because after LayerNormalization a constant target has no gradient.
    targets = np.random.default_rng(1).normal(size=shape)
    model.compile("sgd", "mse", run_eagerly=True)
    return float(model.train_on_batch(inputs, targets))


def require_finite(model, loss, what):
    """Raise unless a loss and all weights are finite numbers."""
    wrong = [
        weight.path
        for weight in model.trainable_variables
        if not np.isfinite(numpy(weight)).all()
    ]
    require(
        np.isfinite(loss) and not wrong,
        f"after {what} the loss is {loss:g}, and not finite are the weights {wrong}. "
        f"Compute the softmax in float32, and divide by nothing that may be 0.",
    )


def lengths_may_be_unknown(case):
    """Batch and length may be unknown, and of any size, and shapes are as declared."""
    model, inputs = case.model(), case.inputs()
    width = model(inputs).shape[-1]
    require(
        tuple(model.output_shape) == (None, None, width),
        f"of inputs whose batch and length are unknown it makes outputs "
        f"{model.output_shape}, and not (None, None, {width}). Use ops.shape(x), not "
        f"x.shape, for sizes that may be unknown.",
    )
    shortest = min(shape[1] for shape in case.shapes)
    for more in (4, 1 - shortest):
        lengths = [shape[1] + more for shape in case.shapes]
        shape = tuple(model(case.inputs(lengths=lengths)).shape)
        wanted = (case.shapes[0][0], lengths[0], width)
        require(
            shape == wanted,
            f"inputs of length {lengths} become outputs {shape}, and not {wanted}.",
        )


def nothing_is_drawn_outside_of_training(case):
    """Outside of training two calls give the same, and training=False too."""
    model, inputs = case.model(), case.inputs()
    first = numpy(model(inputs))
    for how, again in (
        ("a second call", model(inputs)),
        ("a call with training=False", model(inputs, training=False)),
    ):
        require(
            np.array_equal(numpy(again), first),
            f"outside of training {how} gives other outputs. Drop and draw only where "
            f"`training` is true, and hand `training` on to sub-layers.",
        )


def the_seed_decides_what_is_drawn(case):
    """In training, the same seed gives the same outputs."""
    outputs = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        outputs.append(numpy(case.model()(case.inputs(), training=True)))
    require(
        np.array_equal(*outputs),
        "in training the same seed of keras.utils.set_random_seed gives other outputs. "
        "Draw by a keras.random.SeedGenerator that the layer makes.",
    )


def require(kept, found):
    """Raise AssertionError, with what was found, unless a promise is kept."""
    if not kept:
        raise AssertionError(found)


def require_close(found, expected, tolerance, what, advice):
    """Raise AssertionError unless arrays differ by no more than rounding does.

    The tolerance is that of numbers of size 1, and more where they are larger.
    """
    difference = np.abs(found - expected).max(initial=0.0)
    size = max(1.0, np.sqrt(np.mean(np.square(expected)))) if expected.size else 1.0
    require(
        difference <= tolerance * size,
        f"{what} that differ by up to {difference:.2g}, and rounding makes "
        f"{tolerance * size:.2g} at most. {advice}",
    )
