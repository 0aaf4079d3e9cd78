"""C functions over NumPy's arrays."""
import mapengine
import pytest

numpy = pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def power():
    return mapengine.cfunction("double pow(double x, double y)", library="libm.so.6")


def test_arrays_give_arrays(power):
    x = numpy.arange(12.0).reshape(3, 4)
    given = power(x, 2)
    assert isinstance(given, numpy.ndarray) and given.dtype == numpy.float64
    numpy.testing.assert_array_equal(given, x**2)
    assert isinstance(power([1, 2], 2), numpy.ndarray) is False


@pytest.mark.parametrize("shapes", [((3, 4), (4,)), ((3, 1), (1, 4)), ((2, 1, 3), (5, 1)), ((0, 3), (3,)), ((4,), ()), ((1, 1), (1,))])
def test_shapes_are_broadcast_as_numpy_does(power, shapes):
    random = numpy.random.default_rng(1)
    a, b = (random.uniform(0, 9, shape) for shape in shapes)
    numpy.testing.assert_allclose(power(a, b), a**b, rtol=1e-14)


def test_views_are_read_in_place_whatever_their_strides(power):
    x = numpy.arange(60.0).reshape(3, 4, 5)
    for one in (x.T, x[::-1], x[:, ::2], x[..., 1], x.swapaxes(0, 1), numpy.broadcast_to(x[0, 0], (7, 5)), x.astype(">f8"),
                numpy.asfortranarray(x)):
        numpy.testing.assert_array_equal(power(one, 1), one)


def test_other_types_are_converted_when_no_value_is_lost(power, functions):
    numpy.testing.assert_array_equal(power(numpy.arange(3), numpy.float32(2)), [0, 1, 4])
    numpy.testing.assert_array_equal(power(numpy.array([1, 2], object), 2), [1, 4])
    odd = mapengine.cfunction("_Bool is_odd(int8_t value)", functions)
    numpy.testing.assert_array_equal(odd(numpy.arange(3)), [False, True, False])
    with pytest.raises(OverflowError, match="int8"):
        odd(numpy.array([1, 200]))
    with pytest.raises(TypeError, match="float64"):
        odd(numpy.array([1.5]))


def test_scalars_of_numpy_are_scalars(power):
    """Their memory is made for the question where it lies."""
    for value in range(2000):
        assert power(numpy.float64(value), numpy.float32(1)) == value
    assert power([1, 2], numpy.int64(2)).tolist() == [1, 4]
    assert power.map(list(numpy.arange(3.0)), [1, 2, 3]) == [0, 1, 8]
    assert power([numpy.arange(2), numpy.arange(2)], 1).tolist() == [[0, 1], [0, 1]]


def test_buffers_that_offer_the_interface_another_way(power):
    class Array:
        def __init__(self):
            self.memory = numpy.arange(3.0).tobytes()
            self.__array_interface__ = {"version": 3, "shape": (3,), "typestr": "<f8", "data": self.memory}

    class Converts:
        def __array__(self, dtype=None, copy=None):
            return numpy.array([2, 3])

    numpy.testing.assert_array_equal(power(Array(), 1), [0, 1, 2])
    numpy.testing.assert_array_equal(power(Converts(), 1), [2, 3])


def test_out_may_have_strides(power):
    whole = numpy.zeros((3, 4))
    assert power(numpy.arange(3.0), 2, out=whole[:, 1]) is not None
    numpy.testing.assert_array_equal(whole[:, 1], [0, 1, 4])
    assert whole.sum() == 5
    power(numpy.arange(6.0).reshape(2, 3), 1, out=whole[:2, ::-1][:, :3])
    numpy.testing.assert_array_equal(whole[:2], [[0, 2, 1, 0], [0, 5, 4, 3]])
    fixed = numpy.zeros(3)
    fixed.flags.writeable = False
    with pytest.raises(TypeError, match="written"):
        power([1, 2, 3], 2, out=fixed)


def test_arrays_as_parameters_and_structures(functions):
    total = mapengine.cfunction("double sum(const double *values [count], size_t count)", functions)
    x = numpy.arange(12.0).reshape(3, 4)
    numpy.testing.assert_array_equal(total(x), x.sum(axis=1))
    numpy.testing.assert_array_equal(total(x.T), x.sum(axis=0))
    numpy.testing.assert_array_equal(total([x[0], x[:, 0]]), [6, 12])
    swapped = mapengine.cfunction("struct pair {int32_t a; double b;}; struct pair swapped(struct pair given)", functions)
    pairs = numpy.zeros(3, numpy.dtype([("a", "i4"), ("b", "f8")], align=True))
    pairs["a"], pairs["b"] = [1, 2, 3], [4, 5, 6]
    given = swapped(pairs)
    numpy.testing.assert_array_equal(given["a"], [4, 5, 6])
    numpy.testing.assert_array_equal(given["b"], [1, 2, 3])
    assert swapped(pairs[0]).item() == (4, 1.0)


def test_complex_arrays():
    root = mapengine.cfunction("double _Complex csqrt(double _Complex z)", "libm.so.6")
    numpy.testing.assert_array_equal(root(numpy.array([-1, 4])), [1j, 2])


def test_map_is_a_list_also_of_arrays(power):
    assert power.map_rows(numpy.array([[1, 2], [3, 4]])) == [1, 81]
    assert power.map(numpy.arange(3), [2, 2, 2]) == [0, 1, 4]


def test_a_million_rows(power):
    x = numpy.random.default_rng(2).uniform(0, 10, 1_000_000)
    numpy.testing.assert_allclose(power(x, 1.5), x**1.5, rtol=1e-13)
