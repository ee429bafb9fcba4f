"""A batch and a length of any size, known or not."""

import numpy as np
from keras import ops, tree
from layer_cases import B, every_layer, numpy, parametrize, takes_vectors


@every_layer
def test_batch_and_length_may_be_unknown(case):
    model = case.model()
    width = case.connect(case.make(), *case.inputs()).shape[-1]
    assert model.output_shape == (None, None, width)
    longer = model(case.inputs(lengths=[n + 4 for n in lengths(case)]))
    assert tuple(longer.shape) == (B, lengths(case)[0] + 4, width)


@every_layer
def test_one_token_is_enough(case):
    inputs = [x[:1] for x in case.inputs(lengths=[1] * len(case.shapes))]
    outputs = case.connect(case.make(), *inputs)
    assert tuple(outputs.shape[:2]) == (1, 1)
    assert np.isfinite(numpy(outputs)).all()


@every_layer
def test_the_declared_shapes_are_the_actual_ones(case):
    layer = case.make()
    actual = [tuple(output.shape) for output in tree.flatten(layer(*case.inputs()))]
    assert declared(layer, case.shapes) == actual
    unknown = [(None, None, *shape[2:]) for shape in case.shapes]
    first, *others = declared(layer, unknown)
    assert first == (None, None, *actual[0][2:])
    assert others == [(None, *shape[1:]) for shape in actual[1:]]


def declared(layer, shapes):
    """The shape of each output, as the layer declares it."""
    found = []
    tree.map_shape_structure(found.append, layer.compute_output_shape(*shapes))
    return [tuple(shape) for shape in found]


@every_layer
def test_a_sentence_alone_is_the_same_as_among_others(case):
    model, inputs = case.model(), case.inputs()
    together = numpy(model(inputs))
    for row in range(B):
        alone = numpy(model([x[row : row + 1] for x in inputs]))
        np.testing.assert_allclose(alone[0], together[row], atol=1e-6)


@every_layer
def test_numbers_of_64_bits_mean_the_same(case):
    layer, inputs = case.make(), case.inputs()
    expected = numpy(case.connect(layer, *map(ops.convert_to_tensor, inputs)))
    wide = [x.astype("int64" if x.dtype.kind == "i" else "float64") for x in inputs]
    np.testing.assert_array_equal(numpy(case.connect(layer, *wide)), expected)


@parametrize(lambda case: not takes_vectors(case) and len(case.shapes) == 1)
def test_lists_of_ids_mean_the_same(case):
    layer, (ids,) = case.make(), case.inputs()
    expected = numpy(case.connect(layer, ids))
    np.testing.assert_array_equal(numpy(case.connect(layer, ids.tolist())), expected)


def lengths(case):
    return [shape[1] for shape in case.shapes]
