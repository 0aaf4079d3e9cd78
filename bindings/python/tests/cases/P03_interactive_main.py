# The text of `python -c`: lambdas, closures, recursion and classes of an interactive __main__, with globals that change (joblib#659,
# ipython#10894, jupyter/notebook#5261).
from mapengine import Executor

k = 3


def twice(x):
    return 2 * x


def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


class Holder:
    def __init__(self, value):
        self.value = value


def adder(n):
    def inner(x):
        return twice(x) + n + k

    return inner


with Executor(2) as executor:
    assert list(executor.map(lambda x: x * x, range(5))) == [0, 1, 4, 9, 16]
    assert list(executor.map(adder(10), range(3))) == [13, 15, 17]
    k = 5
    assert list(executor.map(adder(10), range(3))) == [15, 17, 19]
    assert executor.submit(factorial, 10).result() == 3628800
    held = executor.submit(Holder, 4).result()
    assert type(held) is Holder and held.value == 4
print("OK")
