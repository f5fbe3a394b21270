"""Hand-made results: no data set, no model, only what a report looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bakeoff.evaluation.metric import Metric, metric
from bakeoff.queries.select import Result
from bakeoff.run.cell import Cell
from bakeoff.storage.record import CellRequest, Record

Make = Callable[..., Result]


@pytest.fixture
def make() -> Make:
    """A result of a model on one split; numbers as metric -> {k: (mean, standard error)}."""

    def result(
        model: str = "als",
        metrics: Mapping[str, Mapping[str, tuple[float, float | None]]] | None = None,
        *,
        key: str = "",
        seed: int = 1,
        split_seed: int = 42,
        fold: int | None = None,
        status: str = "done",
        reason: str = "",
        target: str = "toys.Model",
        build: Mapping[str, Any] | None = None,
        space: Mapping[str, Any] | None = None,
        dataset: str = "plays",
        split: str = "random",
        fingerprint: str | None = None,
        variant: str = "",
        tune: Mapping[str, Any] | None = None,
        depth: int = 100,
        **record: Any,
    ) -> Result:
        fold_option = {} if fold is None else {"fold": fold}
        cell = Cell(
            dataset={"_target_": "toys.Blocks", "name": dataset},
            split={"_target_": "bakeoff.splits.per_user.Random", "name": split, **fold_option},
            model={
                "name": model,
                "build": {"_target_": target, **(build or {})},
                **({"space": space} if space else {}),
            },
            tune=tune,
            seed=seed,
            split_seed=split_seed,
            depth=depth,
            variant=variant,
        )
        key = key or f"c-{model}-{variant}-{dataset}-{split}-{split_seed}-{fold}-{seed}-{depth}"
        done = {"metrics": metrics or {}, "peak_mb": 200.0} if status == "done" else {}
        fields = {
            "n_users": 50,
            "split_family": f"f-{dataset}-{split}",
            "split_fingerprint": f"s{split_seed}{'' if fold is None else f'-{fold}'}"
            if fingerprint is None
            else fingerprint,
            "seconds": {"fit": 1.5, "recommend": 0.25},
            **done,
            **record,
        }
        return Result(
            CellRequest(key, cell),
            Record.from_json({"key": key, "status": status, "reason": reason, "cell": cell, **fields}),
        )

    return result


def _declare(text: str, **direction: Any) -> Metric:
    def compute(inputs: Any, ks: Any) -> Any:
        raise AssertionError("a report measures nothing")

    compute.__doc__ = text
    return metric(**direction)(compute)


@pytest.fixture
def metrics() -> dict[str, Metric]:
    """Every kind of metric: per user, of the whole set, without cutoff; up, down and without direction."""
    return {
        "ndcg": _declare("dcg / ideal over min(k, R). Range 0 to 1, higher is better.\n\nMore."),
        "gini": _declare("Gini index of the lists.", higher_is_better=False, per_user=False),
        "mean_popularity": _declare("Mean users of an item.", higher_is_better=None),
        "auc": _declare("Share of pairs in order.", cutoff=False),
    }
