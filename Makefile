# Each target makes the virtual environment .venv where it is missing, and installs what
# it needs there; a second call finds that done.
PYTHON ?= python3
BIN = .venv/bin
PYTEST = $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: demo test lint format wheel docs clean

demo: .venv/demo.installed
	$(BIN)/python examples/pronounce.py

# All tests on TensorFlow; then all that need no TensorFlow on JAX, and on torch where
# that is installed.
test: .venv/test.installed
	KERAS_BACKEND=tensorflow $(PYTEST)
	KERAS_BACKEND=jax $(PYTEST)
	if $(BIN)/python -c "import torch" 2>/dev/null; then KERAS_BACKEND=torch $(PYTEST); fi

# Layout and likely mistakes of the code; `make format` mends the first.
lint: .venv/lint.installed
	$(BIN)/ruff format --check
	$(BIN)/ruff check

format: .venv/lint.installed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# Makes a wheel, and uses it in an environment that has nothing else.
wheel: .venv/wheel.installed
	rm -rf build dist
	$(BIN)/python -m build --wheel --outdir dist
	$(BIN)/python tests/try_wheel.py dist/*.whl

# The documentation as a site, in site/, with the same layout as this folder, so that each
# link holds in both; one that is broken is an error. The site has a switch of its own
# between the languages.
docs: .venv/docs.installed
	rm -rf build/pages
	mkdir -p build/pages
	cp -R LICENSE *.md docs benchmarks examples keras_attention build/pages
	find build/pages -name '*.md' -exec sed -i.links -E '/^\[(English|한국어)\]\(/d' {} +
	find build/pages -name '*.links' -delete
	$(BIN)/mkdocs build --strict

.venv/%.installed: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

clean:
	rm -rf .venv build dist site *.egg-info
