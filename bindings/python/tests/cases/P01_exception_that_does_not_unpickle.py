"""An exception whose constructor cannot be called with its args ends its own element, and can be read (cpython#79492, #103061)."""

from mapengine import Executor


class TwoArguments(Exception):
    def __init__(self, text, number):
        super().__init__(text)


def work(x):
    if x == 1:
        raise TwoArguments("needle", x)
    return x


if __name__ == "__main__":
    with Executor(2) as executor:
        futures = [executor.submit(work, x) for x in range(4)]
        error = futures[1].exception(timeout=60)
        assert error is not None
        told = repr(error) + str(error.__cause__) + str(getattr(error, "__notes__", ""))
        assert "needle" in told and "TwoArguments" in told, told
        assert [futures[x].result(timeout=60) for x in (0, 2, 3)] == [0, 2, 3]
        assert executor.submit(work, 7).result(timeout=60) == 7
    print("OK")
