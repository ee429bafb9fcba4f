"""Ranges are read as they are meant, and what is proposed fits."""

import itertools

import keras_tuner
import pytest

from keras_attention.tuning.search_space import SETTINGS, Interval, SearchSpace

SMALL = {
    "num_layers": (1, 3),
    "num_decoder_layers": (1, 2),
    "d_model": [8, 12, 16],
    "num_heads": [2, 4],
    "d_ff": (8, 32),
}
VOCABULARY = {
    "source_vocab_size": 7,
    "target_vocab_size": 11,
    "share_embeddings": False,
}


def space(max_parameters=None, **ranges):
    return SearchSpace(
        "Owner", {**SMALL, **ranges}, max_parameters=max_parameters, **VOCABULARY
    )


@pytest.mark.parametrize(
    ("name", "given", "values"),
    [
        ("num_heads", 4, [4]),
        ("num_heads", [4, 2, 2], [2, 4]),
        ("num_layers", (1, 4), [1, 2, 3, 4]),
        ("d_ff", (24, 100), [24, 48, 96]),
        ("batch_tokens", (1000, 1000), [1000]),
        ("norm_first", True, [True]),
        ("norm_first", (False, True), [False, True]),
        ("dropout_rate", [0, 0.1], [0.0, 0.1]),
        ("dropout_rate", (0, 0.3), Interval(0.0, 0.3, "linear")),
        ("peak_rate", (1e-4, 1e-2), Interval(1e-4, 1e-2, "log")),
    ],
)
def test_a_value_a_list_and_a_pair_of_ends_are_ranges(name, given, values):
    assert space(**{name: given}).ranges[name] == values


def test_what_is_not_given_has_its_usual_range():
    ranges = space().ranges
    assert list(ranges) == list(SETTINGS)
    assert ranges["warmup_steps"] == [250, 500, 1000, 2000, 4000, 8000]
    assert ranges["norm_first"] == [False, True]


def test_every_setting_is_proposed_within_its_range():
    hp = keras_tuner.HyperParameters()
    proposed = space(num_heads=4, label_smoothing=0.1).propose(hp)
    assert list(proposed) == list(SETTINGS)
    assert proposed["num_heads"] == 4 and proposed["label_smoothing"] == 0.1
    kinds = {one.name: type(one).__name__ for one in hp.space}
    assert kinds["num_heads"] == kinds["label_smoothing"] == "Fixed"
    assert kinds["d_model"] == "Choice" and kinds["norm_first"] == "Boolean"
    assert kinds["peak_rate"] == "Float"


def sizes_of(one):
    """Every combination of the sizes of a space, with the rest as it may be."""
    names = ["num_layers", "num_decoder_layers", "d_model", "d_ff"]
    for sizes in itertools.product(*(one.ranges[name] for name in names)):
        yield {**dict(zip(names, sizes)), "num_heads": 2, "norm_first": True}


def test_what_is_proposed_never_has_more_parameters_than_it_may():
    everything = space()
    counts = sorted(everything.count(one) for one in sizes_of(everything))
    for budget in counts[:: len(counts) // 8]:
        limited = space(max_parameters=budget)
        for settings in sizes_of(limited):
            fitted = limited.fit(settings)
            assert limited.count(fitted) <= budget
            if limited.count(settings) <= budget:
                assert fitted == settings
            assert limited.fit(fitted) == fitted
            assert all(fitted[name] in limited.ranges[name] for name in SMALL)


def test_the_nearest_that_fits_is_taken():
    largest = {
        "num_layers": 3,
        "num_decoder_layers": 2,
        "d_model": 16,
        "num_heads": 2,
        "d_ff": 32,
        "norm_first": False,
    }
    count = space().count(largest)
    # One step suffices: of the four, the one that costs the fewest parameters.
    fitted = space(max_parameters=count - 1).fit(largest)
    changed = {name for name in largest if fitted[name] != largest[name]}
    candidates = [
        space().count({**largest, **step})
        for step in (
            {"num_layers": 2},
            {"num_decoder_layers": 1},
            {"d_model": 12},
            {"d_ff": 16},
        )
    ]
    assert len(changed) == 1
    assert space().count(fitted) == max(candidates)


@pytest.mark.parametrize(
    ("ranges", "error", "message"),
    [
        ({"d_modell": 8}, TypeError, "got a range of d_modell.*mean d_model?"),
        ({"zzz": 8}, TypeError, "got a range of zzz, but what.*batch_tokens.$"),
        ({"d_model": []}, ValueError, r"got d_model=\[\], but.*at least one"),
        ({"d_ff": (32, 8)}, ValueError, r"got d_ff=\(32, 8\), but a tuple"),
        ({"d_ff": (8, 16, 32)}, ValueError, r"got d_ff=\(8, 16, 32\), but a tuple"),
        ({"num_layers": 0}, ValueError, "got num_layers=0, but.*at least 1."),
        ({"dropout_rate": 1.0}, ValueError, "dropout_rate=1.0, but.*0 and below 1"),
        ({"peak_rate": (0.0, 1e-3)}, ValueError, "peak_rate=0.0, but.*1e-09"),
        ({"num_heads": 2.0}, TypeError, r"got 2.0 \(float\) for num_heads, which is"),
        ({"num_layers": True}, TypeError, r"got True \(bool\) for num_layers, which"),
        ({"norm_first": 1}, TypeError, r"got 1 \(int\) for norm_first, which is bool"),
        ({"d_ff": "8"}, TypeError, r"got '8' \(str\) for d_ff, which is int"),
        ({"dropout_rate": None}, TypeError, r"got None \(NoneType\) for dropout"),
        ({"num_heads": 3}, ValueError, "d_model=8 and num_heads=3 among the values"),
    ],
)
def test_a_range_that_cannot_be_is_refused(ranges, error, message):
    with pytest.raises(error, match=f"^Owner: .*{message}"):
        space(**ranges)


def test_a_budget_that_no_model_meets_is_refused():
    smallest = {"num_layers": 1, "num_decoder_layers": 1, "d_model": 8, "d_ff": 8}
    needed = space().count({**smallest, "norm_first": True})
    space(max_parameters=needed)
    with pytest.raises(
        ValueError,
        match=rf"Owner: got max_parameters={needed - 1:,}, but the smallest model of "
        rf"these ranges has {needed:,}",
    ):
        space(max_parameters=needed - 1)
