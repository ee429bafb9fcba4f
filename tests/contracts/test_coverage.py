"""No public layer without a row, no row without a layer."""

import keras
from layer_cases import CASES

import keras_attention as ka


def test_every_public_layer_has_a_row():
    public = {
        value
        for value in vars(ka).values()
        if isinstance(value, type) and issubclass(value, keras.layers.Layer)
    }
    layers = {one for one in public if not issubclass(one, keras.Model)}
    assert layers == {case.layer for case in CASES.values()}


def test_every_layer_in_the_layers_folder_is_public():
    registered = {
        value
        for name, value in keras.saving.get_custom_objects().items()
        if name.startswith("keras_attention>") and issubclass(value, keras.layers.Layer)
    }
    public = [value for value in vars(ka).values() if isinstance(value, type)]
    assert registered and registered <= set(public)


def test_a_row_sets_options_other_than_the_defaults():
    """An option at its default in every row would be tested at its default only."""
    for option in ("causal", "norm_first", "dropout_rate", "activation", "max_length"):
        assert any(option in case.options for case in CASES.values()), option
