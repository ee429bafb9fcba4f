# Each target makes the virtual environment .venv where it is missing, and installs what
# it needs there; a second call finds that done.
PYTHON ?= python3
BIN = .venv/bin
PYTEST = $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: demo test clean

demo: .venv/demo.installed
	$(BIN)/python examples/pronounce.py

# All tests on TensorFlow; then all that need no TensorFlow on JAX, and on torch where
# that is installed.
test: .venv/test.installed
	KERAS_BACKEND=tensorflow $(PYTEST)
	KERAS_BACKEND=jax $(PYTEST)
	if $(BIN)/python -c "import torch" 2>/dev/null; then KERAS_BACKEND=torch $(PYTEST); fi

.venv/%.installed: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

clean:
	rm -rf .venv build *.egg-info
