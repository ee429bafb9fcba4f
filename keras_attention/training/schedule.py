"""Optimizer step -> learning rate."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_attention")
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rise linearly for `warmup_steps`, then fall with the root of the step.

    rate = scale * D^-0.5 * min(step^-0.5, step * warmup_steps^-1.5), which is at its
    peak, scale * (D * warmup_steps)^-0.5, at step = warmup_steps.

    Args:
        d_model: D, width of the model.
        warmup_steps: Optimizer steps until the peak.
        scale: Multiplies every rate; see `from_peak`.

    Source:
        Vaswani et al., 2017, section 5.3, equation 3, which has no scale. The first
        step is number 1, as in the paper, though Keras counts from 0.

    Example:

    >>> float(WarmupSchedule(d_model=512, warmup_steps=4000)(3999))  # 0.000699
    >>> float(WarmupSchedule.from_peak(5e-3, warmup_steps=2000)(1999))  # 0.005
    """

    def __init__(self, d_model, warmup_steps=4000, scale=1.0):
        super().__init__()
        for name, value in {
            "d_model": d_model,
            "warmup_steps": warmup_steps,
            "scale": scale,
        }.items():
            if value <= 0:
                raise ValueError(
                    f"WarmupSchedule: got {name}={value}, but the rate would be zero, "
                    f"negative or undefined. Give a number above 0."
                )
        self.d_model = d_model
        self.warmup_steps = warmup_steps
        self.scale = scale

    @classmethod
    def from_peak(cls, peak_rate, warmup_steps=4000):
        """The same rise and fall to and from a given rate, for a model of any width.

        Args:
            peak_rate: The highest rate.
            warmup_steps: Optimizer steps until then.

        Raises:
            ValueError: one of them is not above 0.
        """
        if peak_rate <= 0:
            raise ValueError(
                f"WarmupSchedule.from_peak: got peak_rate={peak_rate}, but nothing is "
                f"learned at that rate. Give a number above 0, such as 5e-3."
            )
        # The width cancels out.
        return cls(
            d_model=1, warmup_steps=warmup_steps, scale=peak_rate * warmup_steps**0.5
        )

    def __call__(self, step):
        step = ops.cast(step, "float32") + 1.0
        rising = step * self.warmup_steps**-1.5
        return self.scale * self.d_model**-0.5 * ops.minimum(step**-0.5, rising)

    def get_config(self):
        return {
            "d_model": self.d_model,
            "warmup_steps": self.warmup_steps,
            "scale": self.scale,
        }
