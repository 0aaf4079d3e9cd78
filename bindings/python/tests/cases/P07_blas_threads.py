"""BLAS has cores / workers threads in each worker, unless the user says otherwise (joblib#834, joblib#940, scikit-learn#34070)."""

import os

from mapengine import Executor

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def threads():
    import numpy
    import threadpoolctl

    assert numpy.ones((8, 8)).dot(numpy.ones((8, 8)))[0, 0] == 8
    return max([library["num_threads"] for library in threadpoolctl.threadpool_info()] or [0]), os.environ.get("OMP_NUM_THREADS")


if __name__ == "__main__":
    for name in VARIABLES:
        os.environ.pop(name, None)
    cores = len(os.sched_getaffinity(0))
    with Executor(2) as executor:
        count, variable = executor.submit(threads).result(timeout=60)
        assert count <= max(1, cores // 2), (count, variable)
    os.environ["OMP_NUM_THREADS"] = "7"
    with Executor(2) as executor:
        assert executor.submit(threads).result(timeout=60)[1] == "7"
    print("OK")
