"""User errors name the argument, the rule and the value."""

from __future__ import annotations

import pytest

from keras_radtl.config import UserError, require


def test_require_names_argument_rule_and_value():
    require(True, "rate", "in [0, 1]", 1)
    with pytest.raises(UserError, match=r"^`rate` must be in \[0, 1\]. Received: rate=1.2$"):
        require(False, "rate", "in [0, 1]", 1.2)
