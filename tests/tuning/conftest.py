"""Trials that are trained in a moment."""

import pytest

import keras_attention as ka


@pytest.fixture
def uncompiled(monkeypatch):
    """Train op by op: to compile a training takes longer than these few steps do."""
    compiled = ka.Transformer.compile

    def compile(model, *args, **kwargs):
        quick = {"run_eagerly": True, "jit_compile": False}
        compiled(model, *args, **{**kwargs, **quick})

    monkeypatch.setattr(ka.Transformer, "compile", compile)
