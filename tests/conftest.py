"""One seed for every test, and which tests need TensorFlow.

Run on another backend with KERAS_BACKEND=jax or KERAS_BACKEND=torch.
"""

import gc
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if os.environ["KERAS_BACKEND"] == "jax":
    # Optimising programs that run for a moment took a third of the time. Those compiled
    # are kept: many tests, and the next run, compile the same. Each worker has its own,
    # as JAX may read what another is still writing.
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
    programs = pathlib.Path(__file__).parents[1] / ".pytest_cache" / "jax"
    programs /= os.environ.get("PYTEST_XDIST_WORKER", "alone")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(programs))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import keras
import pytest

DATA = pathlib.Path(os.environ.get("KERAS_ATTENTION_DATA", "../shared/data"))


@pytest.fixture(autouse=True)
def seed():
    """Every test starts from the same random state and the default dtype policy."""
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(autouse=True, scope="module")
def rest_of_a_module():
    """What outlives the tests of a module is not looked at again by Python's collector.

    TensorFlow keeps every graph that has a custom gradient: millions of objects in the
    end, which each full collection went through.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def data():
    """The folder of real data; the test is skipped where it is missing."""
    if not DATA.is_dir():
        pytest.skip(f"no real data in {DATA}; set KERAS_ATTENTION_DATA to its folder")
    return DATA


def pytest_collection_modifyitems(items):
    backend = keras.backend.backend()
    skip = pytest.mark.skip(reason=f"needs the TensorFlow backend, this is {backend}")
    for item in items:
        if backend != "tensorflow" and item.get_closest_marker("tensorflow"):
            item.add_marker(skip)
