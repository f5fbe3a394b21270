from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bakeoff.evaluation import beyond, conventions, ranking, rating
from bakeoff.evaluation.measure import measure
from bakeoff.evaluation.metric import Metric
from evaluation.evidence import toy

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", [ranking, beyond, rating, conventions], ids=lambda m: m.__name__)
def test_the_page_names_every_metric(module):
    names = [name for name, value in vars(module).items() if isinstance(value, Metric)]
    assert not [name for name in names if f"`{name}`" not in PAGE]


def test_the_page_states_the_direction_that_a_table_uses():
    words = {"higher": True, "lower": False, "neither": None}
    rows = re.findall(r"^\| `(\w+)` \|.*\| (higher|lower|neither) \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) == 13
    for name, word in rows:
        declared = getattr(beyond, name, None) or getattr(rating, name)
        assert declared.higher_is_better is words[word], name


def test_the_metric_that_the_page_shows_works():
    code = re.search(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert code
    module: dict[str, object] = {}
    exec(code.group(1), module)
    found = measure(toy(), {"top_hit": module["top_hit"]}, [1, 3])
    assert found.per_user["top_hit", 3].tolist() == np.array([1.0, 1.0, 0.0, 1.0, 0.0]).tolist()
