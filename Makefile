# Both targets set up the virtual environment .venv where it is missing or out of date.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test clean

demo: .venv/demo.installed
	$(BIN)/python examples/pronounce.py

test: .venv/test.installed
	$(BIN)/python -m pytest -n 2
	KERAS_BACKEND=jax $(BIN)/python -m pytest -n 2

.venv/%.installed: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

clean:
	rm -rf .venv build *.egg-info
