"""The translator of random weights that the tests of the export use."""

from tests.export.conftest import translator  # noqa: F401
