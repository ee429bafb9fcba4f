"""Ranges of settings -> trials -> the best settings and model, with KerasTuner."""

import importlib
import importlib.util

MODULES = {
    "TransformerHyperModel": "hyper_model",
    "tune": "search",
    "TuningResult": "result",
}

__all__ = list(MODULES)


def __getattr__(name):
    if name not in MODULES:
        raise AttributeError(
            f"module 'keras_attention.tuning' has no attribute {name!r}"
        )
    require_installed()
    module = importlib.import_module(f"keras_attention.tuning.{MODULES[name]}")
    return getattr(module, name)


def __dir__():
    return sorted(__all__)


def require_installed():
    """Raise ImportError unless there is what a search needs."""
    # KerasTuner imports tensorboard in each trial, and does not ask for it.
    for package in ("keras_tuner", "tensorboard"):
        if importlib.util.find_spec(package) is None:
            raise ImportError(
                f"keras_attention.tuning: got no {package}, but a search needs it. "
                f"Run: pip install 'keras-attention-transformer[tune]'"
            )
