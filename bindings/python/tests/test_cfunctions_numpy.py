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


def any_view(random, shape):
    """An array of this shape whose elements may lie anywhere: turned round, with gaps, with axes in another order, repeated."""
    kind = random.choice(["f8", "f8", "f8", "f4", "i4", ">f8", "u1", "i8"])
    order = random.permutation(len(shape))
    steps = [int(random.choice([1, 1, 2, -1, -3])) for _ in shape]
    whole = random.integers(0, 100, [abs(steps[axis]) * shape[axis] + 1 for axis in order]).astype(kind)
    turned = whole.transpose(numpy.argsort(order)) if shape else whole
    return turned[tuple(slice(None, None, step) for step in steps)][tuple(slice(0, extent) for extent in shape)]


@pytest.mark.parametrize("seed", range(60))
def test_any_memory_gives_what_numpy_gives(seed):
    largest = mapengine.cfunction("double fmax(double x, double y)", library="libm.so.6")
    random = numpy.random.default_rng(seed)
    shape = [int(extent) for extent in random.integers(0, 5, random.integers(0, 4))]
    shapes = [[extent if random.random() < 0.7 else 1 for extent in shape][int(random.integers(0, len(shape) + 1)):] for _ in range(2)]
    a, b = (any_view(random, one) for one in shapes)
    expected = numpy.maximum(numpy.asarray(a, float), numpy.asarray(b, float))
    given = largest(a, b)
    assert numpy.shape(given) == expected.shape
    numpy.testing.assert_array_equal(given, expected)
    if expected.shape:
        place = numpy.full([2 * extent for extent in expected.shape], -1.0).transpose(random.permutation(expected.ndim))
        out = place[tuple(slice(None, extent * step, step) for extent, step in zip(expected.shape, random.integers(1, 3, expected.ndim)))]
        out = out[tuple(slice(0, extent) for extent in expected.shape)]
        if out.shape == expected.shape:
            before = place.copy()
            assert largest(a, b, out=out) is out
            numpy.testing.assert_array_equal(out, expected)
            out[...] = -1
            numpy.testing.assert_array_equal(place, before)


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


def test_bytes_are_those_of_any_array():
    compare = mapengine.cfunction("int memcmp(const void *a [n], const void *b [n], size_t n)", "libc.so.6")
    table = numpy.arange(6, dtype="i4").reshape(2, 3)
    other = table.copy()
    other[1, 2] = 0
    assert [int(numpy.sign(one)) for one in compare(table, other)] == [0, 1] and isinstance(compare(table, other), numpy.ndarray)
    assert compare(table[0], other[0]) == 0 and compare(table[0].tobytes(), other[0]) == 0
    assert compare(table.view("u1")[:, ::2], other.view("u1")[:, ::2])[0] == 0


def test_complex_arrays():
    root = mapengine.cfunction("double _Complex csqrt(double _Complex z)", "libm.so.6")
    numpy.testing.assert_array_equal(root(numpy.array([-1, 4])), [1j, 2])


def test_map_is_a_list_also_of_arrays(power):
    assert power.map_rows(numpy.array([[1, 2], [3, 4]])) == [1, 81]
    assert power.map(numpy.arange(3), [2, 2, 2]) == [0, 1, 4]


def test_arrays_that_workers_see_in_place():
    with mapengine.NativePool(2) as pool:
        power = mapengine.cfunction("double pow(double x, double y)", "libm.so.6", pool=pool)
        x = pool.empty((100, 3), numpy.float64)
        x[...] = numpy.arange(300).reshape(100, 3)
        numpy.testing.assert_array_equal(power(x[:, 1], 2), x[:, 1] ** 2)
        numpy.testing.assert_array_equal(power(x.T, 1), x.T)
        assert pool.empty(0, "i4").shape == (0,)
    numpy.testing.assert_array_equal(x.ravel(), numpy.arange(300))


def test_a_million_rows(power):
    x = numpy.random.default_rng(2).uniform(0, 10, 1_000_000)
    numpy.testing.assert_allclose(power(x, 1.5), x**1.5, rtol=1e-13)
