"""The one place where the threads of BLAS and OpenMP are set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limited(n: int = 1) -> Iterator[None]:
    """Give BLAS and OpenMP n threads inside the block, and what they had before afterwards.

    One thread a worker costs less CPU than two, and keeps fits repeatable; cells run side by side instead.
    A block inside a block may widen the limit: EASE does, by its own `num_threads`.
    """
    # A library can be limited only once it is loaded, and SciPy has a BLAS of its own beside NumPy's.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=n):
        yield
