"""A result of 2.3 GiB arrives whole (cobrapy#1016, pySCENIC#484, cort#19)."""

import numpy as np

from mapengine import Executor

SIZE = 2_500_000_000


def large(size):
    array = np.zeros(size, np.uint8)
    array[size // 2], array[-1] = 3, 7
    return array


if __name__ == "__main__":
    with Executor(1) as executor:
        array = executor.submit(large, SIZE).result(timeout=120)
    assert array.nbytes == SIZE and array[SIZE // 2] == 3 and array[-1] == 7
    print("OK")
