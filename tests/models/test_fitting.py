from __future__ import annotations

import subprocess
import sys

from threadpoolctl import threadpool_info

from bakeoff.models.fitting import limit_threads


def blas() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_the_limit_holds_inside_and_ends_with_the_block() -> None:
    with limit_threads(2):
        before = blas()
        with limit_threads(1):
            assert set(blas()) == {1}
        assert blas() == before


def test_a_library_that_a_model_would_load_later_is_limited_too() -> None:
    program = (
        "from bakeoff.models.fitting import limit_threads\n"
        "with limit_threads(1):\n"
        "    import scipy.linalg\n"
        "    from threadpoolctl import threadpool_info\n"
        "    print([p['num_threads'] for p in threadpool_info() if p['user_api'] == 'blas'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.strip("[]\n").split(", ")) == {"1"}
