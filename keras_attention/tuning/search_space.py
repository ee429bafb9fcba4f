"""Ranges of settings -> settings of valid Transformers, for KerasTuner to propose."""

import dataclasses
import difflib
import itertools
import math
from collections.abc import Callable

from keras_attention.tuning.parameter_count import count_parameters

# What may give way to a budget of parameters.
SIZES = ("num_layers", "num_decoder_layers", "d_model", "d_ff")


def every(low: int, high: int) -> list[int]:
    """All integers from low to high."""
    return list(range(low, high + 1))


def doublings(low: int, high: int) -> list[int]:
    """low, 2 low, 4 low, ... up to high."""
    values = [low]
    while 2 * values[-1] <= high:
        values.append(2 * values[-1])
    return values


def both(low: bool, high: bool) -> list[bool]:
    """The two ends."""
    return sorted({low, high})


@dataclasses.dataclass(frozen=True)
class Interval:
    """Any number from low to high, drawn evenly, or with its logarithm drawn evenly."""

    low: float
    high: float
    sampling: str


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a setting may be.

    Attributes:
        usual: Its range where the user gives none: the lowest and the highest.
        kind: int, float or bool.
        least: It must be at least this,
        below: and below this.
        between: The values between two ends; None for all numbers.
        sampling: How these are drawn: "linear" or "log".
    """

    usual: tuple
    kind: type = int
    least: float = 1
    below: float = math.inf
    between: Callable | None = None
    sampling: str = "linear"


# In the order of `Transformer`, and of a training.
SETTINGS = {
    "num_layers": Setting((1, 6), between=every),
    "num_decoder_layers": Setting((1, 6), between=every),
    "d_model": Setting((64, 512), between=doublings),
    "num_heads": Setting((2, 8), between=doublings),
    "d_ff": Setting((128, 2048), between=doublings),
    "dropout_rate": Setting((0.0, 0.4), float, least=0, below=1),
    "norm_first": Setting((False, True), bool, least=0, between=both),
    "label_smoothing": Setting((0.0, 0.2), float, least=0, below=1),
    "peak_rate": Setting((3e-4, 1e-2), float, least=1e-9, sampling="log"),
    "warmup_steps": Setting((250, 8000), between=doublings),
    "batch_tokens": Setting((1024, 8192), between=doublings),
}


class SearchSpace:
    """What may be proposed, and how.

    Args:
        owner: Who is asked, for messages.
        ranges: By the names of `SETTINGS`: a value, a list of values, or a tuple of
            the lowest and the highest. What is left out has its usual range.
        max_parameters: Most parameters of a model; None for no limit.
        vocabulary: Arguments of `count_parameters` that are not searched.

    Raises:
        ValueError, TypeError: A range is unknown, empty or holds what no Transformer
            could be made of; or even the smallest model has too many parameters.
    """

    def __init__(self, owner, ranges, max_parameters=None, **vocabulary):
        require_known(owner, ranges)
        self.owner = owner
        self.ranges = {
            name: read_range(owner, name, ranges.get(name, setting.usual))
            for name, setting in SETTINGS.items()
        }
        self.max_parameters = max_parameters
        self.vocabulary = vocabulary
        self._require_divisible()
        self._require_room()

    def propose(self, hp) -> dict:
        """A value for each setting, as one who asks KerasTuner gets it, made to fit."""
        return self.fit({name: ask(hp, name, r) for name, r in self.ranges.items()})

    def count(self, settings) -> int:
        """Parameters of the model that settings would make."""
        sizes = {name: settings[name] for name in SIZES}
        return count_parameters(
            **sizes, norm_first=settings["norm_first"], **self.vocabulary
        )

    def fit(self, settings) -> dict:
        """The nearest settings with no more parameters than there may be.

        Nearest: the fewest steps down, each to the next lower value of one of `SIZES`;
        and of those equally near the one with the most parameters.
        """
        if self.max_parameters is None or self.count(settings) <= self.max_parameters:
            return settings
        downwards = [
            enumerate(at_most(self.ranges[name], settings[name])) for name in SIZES
        ]
        fitting = []
        for stepped in itertools.product(*downwards):
            steps, sizes = zip(*stepped)
            smaller = {**settings, **dict(zip(SIZES, sizes))}
            count = self.count(smaller)
            if count <= self.max_parameters:
                fitting.append((sum(steps), -count, smaller))
        return min(fitting, key=lambda one: one[:2])[2]

    def _require_divisible(self):
        for d_model in self.ranges["d_model"]:
            for num_heads in self.ranges["num_heads"]:
                if d_model % num_heads:
                    raise ValueError(
                        f"{self.owner}: got d_model={d_model} and num_heads="
                        f"{num_heads} among the values to try, but any two of them may "
                        f"meet, and heads take equal shares of the width. Leave one "
                        f"out, or search twice."
                    )

    def _require_room(self):
        smallest = {name: lowest(values) for name, values in self.ranges.items()}
        smallest["norm_first"] = max(self.ranges["norm_first"])  # It has more of them.
        needed = self.count(smallest)
        if self.max_parameters is not None and needed > self.max_parameters:
            raise ValueError(
                f"{self.owner}: got max_parameters={self.max_parameters:,}, but the "
                f"smallest model of these ranges has {needed:,}. Allow that many, or "
                f"give lower values of {', '.join(SIZES)}."
            )


def at_most(values, highest):
    """Those of a sorted list that are not above another, from the highest down."""
    return [value for value in values[::-1] if value <= highest]


def lowest(values):
    """The lowest of a list or an interval."""
    return values.low if isinstance(values, Interval) else values[0]


def ask(hp, name, values):
    """Let KerasTuner choose among a list of values, or within an interval."""
    if isinstance(values, Interval):
        return hp.Float(name, values.low, values.high, sampling=values.sampling)
    if len(values) == 1:
        return hp.Fixed(name, values[0])
    if isinstance(values[0], bool):
        return hp.Boolean(name)
    return hp.Choice(name, values)


def require_known(owner, ranges):
    """Raise TypeError if there is a range of no setting."""
    for name in ranges:
        if name not in SETTINGS:
            near = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.4)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise TypeError(
                f"{owner}: got a range of {name}, but what can be searched is "
                f"{', '.join(SETTINGS)}.{meant}"
            )


def read_range(owner, name, given):
    """A value, a list or a tuple (low, high) -> a sorted list, or an Interval."""
    setting = SETTINGS[name]
    values = given if isinstance(given, (list, tuple)) else [given]
    values = [valid_value(owner, name, value) for value in values]
    if not isinstance(given, tuple):
        if not values:
            raise ValueError(
                f"{owner}: got {name}=[], but there must be a value to try. Give at "
                f"least one, or leave {name} out for its usual range."
            )
        return sorted(set(values))
    if len(values) != 2 or values[0] > values[1]:
        raise ValueError(
            f"{owner}: got {name}={given}, but a tuple holds the lowest and then the "
            f"highest value. Give these two, or a list of the values to try."
        )
    if setting.between is not None:
        return setting.between(*values)
    return Interval(*values, setting.sampling)


def valid_value(owner, name, value):
    """The value as an int, float or bool; raise if the setting cannot have it."""
    setting = SETTINGS[name]
    is_number = isinstance(value, (int, float)) or hasattr(value, "__index__")
    is_right = {
        bool: isinstance(value, bool),
        int: not isinstance(value, bool) and hasattr(value, "__index__"),
        float: not isinstance(value, bool) and is_number,
    }[setting.kind]
    if not is_right:
        raise TypeError(
            f"{owner}: got {value!r} ({type(value).__name__}) for {name}, which is "
            f"{setting.kind.__name__}. Give a value, a list of them, or (low, high)."
        )
    if not setting.least <= value < setting.below:
        upper = "" if setting.below == math.inf else f" and below {setting.below}"
        raise ValueError(
            f"{owner}: got {name}={value}, but it must be at least {setting.least}"
            f"{upper}. Give only such values."
        )
    return setting.kind(value)
