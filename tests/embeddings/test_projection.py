import numpy as np

from keras_attention.embeddings.projection import principal_components


def test_components_are_the_eigenvectors_of_the_covariance():
    matrix = np.random.default_rng(0).normal(size=(13, 5)) * [5, 4, 3, 2, 1]
    points, shares = principal_components(matrix)
    covariance = np.cov(matrix, rowvar=False)
    values, directions = np.linalg.eigh(covariance)
    expected = (matrix - matrix.mean(axis=0)) @ directions[:, [-1, -2]]
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(shares, values[[-1, -2]] / values.sum())


def test_a_direction_points_where_its_greatest_number_is_positive():
    matrix = np.array([[0.0, 0], [-3, 1], [-6, 0]])
    points, _ = principal_components(matrix, 1)
    assert points[0, 0] > 0 > points[2, 0]


def test_equal_vectors_have_no_variance():
    points, shares = principal_components(np.ones((3, 2)))
    np.testing.assert_array_equal(points, np.zeros((3, 2)))
    np.testing.assert_array_equal(shares, [0, 0])
