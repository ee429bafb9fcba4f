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
        scale: Multiplies every rate. For a given peak: peak * sqrt(D * warmup_steps).

    Source:
        Vaswani et al., 2017, section 5.3, equation 3, which has no scale. The first
        step is number 1, as in the paper, though Keras counts from 0.

    Example:

    >>> float(WarmupSchedule(d_model=512, warmup_steps=4000)(3999))  # 0.000699
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
