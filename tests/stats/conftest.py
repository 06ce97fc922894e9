"""Setup of the statistics tests."""

from __future__ import annotations

import pytest
import scipy.linalg  # noqa: F401  load its BLAS, so that the limit applies to it
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    """Limit BLAS to one thread, as `fit_mixed_model` does: threads slow down small matrices on a busy machine."""
    with threadpool_limits(1, user_api="blas"):
        yield
