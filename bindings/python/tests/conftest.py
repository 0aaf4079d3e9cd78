"""What tests share."""
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def workers():
    """Two workers for all tests of a file."""
    from mapengine._workers import Workers

    with Workers(2) as made:
        yield made


@pytest.fixture(scope="module")
def pool():
    """A Pool of two workers for all tests of a file."""
    import mapengine

    with mapengine.Pool(2) as made:
        yield made


@pytest.fixture(scope="session")
def functions(tmp_path_factory):
    """The path of functions.c as a shared library."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    made = tmp_path_factory.mktemp("functions") / "libfunctions.so"
    subprocess.run([compiler, "-std=gnu11", "-O1", "-fPIC", "-shared", str(HERE / "functions.c"), "-o", str(made), "-lm"], check=True)
    return str(made)
