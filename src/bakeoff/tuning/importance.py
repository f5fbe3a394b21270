"""Importance of hyperparameters by Optuna's PED-ANOVA.

Watanabe, Bansal and Hutter 2023, IJCAI: a hyperparameter is important if the distribution of its values in
the best trials differs from that in all trials. fANOVA would need scikit-learn, which bakeoff does without.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bakeoff.config_files import Config
from bakeoff.errors import ConfigError
from bakeoff.run.cell import build, check_shipped
from bakeoff.storage.record import Direction, TrialRecord
from bakeoff.tuning.space import AXIS_KEYS
from bakeoff.tuning.storage import quiet

METHOD = "PED-ANOVA"

FEWEST = 20
"""Least number of trials beside the defaults: with fewer, the distributions are not known."""

_TOP = 5
"""Least number of best trials that Optuna needs; 10 % of all if that is more."""


@dataclass(frozen=True)
class Importance:
    """Importances by hyperparameter, or the reason why there are none.

    Args:
        shares: hyperparameter -> share of the whole importance, 0 to 1; they add up to 1.
        trials: finished and pruned trials behind them.
        top: how many of them counted as the best.
        absent: why there are no shares, else "".
        remarks: warnings of Optuna.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    trials: int = 0
    top: int = 0
    absent: str = ""
    remarks: tuple[str, ...] = ()


def importance(space: Config, trials: Sequence[TrialRecord], directions: Sequence[Direction]) -> Importance:
    """Return the importance of each hyperparameter of a space.

    The defaults (trial 0) are excluded: the sampler did not propose them, and they may lie outside of the
    space. Pruned trials count as worse than all complete ones; failed ones are excluded. With several
    objectives it is the importance for being near the Pareto set.

    Args:
        space: hyperparameter -> distribution of Optuna's, or its configuration as in the model's `space`.
        trials: `record.tuning.trials`.
        directions: "maximize" or "minimize", one for each objective.
    """
    try:
        check_shipped(space, "model.space", "the importance of its hyperparameters is not computed")
    except ConfigError as error:
        return Importance(absent=str(error))
    drawn = [t for t in trials if t.number > 0 and t.state in ("complete", "pruned")]
    finished = [t.objective_values for t in drawn if t.state == "complete"]
    n, top = len(drawn), n_best(len(drawn))
    if len(space) < 2:
        return Importance(trials=n, absent="the space has one hyperparameter")
    if n < FEWEST:
        beside = f"{n} {'trial' if n == 1 else 'trials'} beside the defaults"
        return Importance(trials=n, absent=f"{beside}, at least {FEWEST} are needed")
    if len(finished) < top:
        return Importance(
            trials=n, absent=f"{len(finished)} of {n} trials finished, at least {top} are needed"
        )
    if len(finished) == n and all(v == finished[0] for v in finished):
        return Importance(trials=n, absent="all trials gave the same value")
    worst = _worse_than(finished, directions)
    values = [t.objective_values if t.state == "complete" else worst for t in drawn]
    shares, remarks = _ped_anova(space, drawn, values, directions, max(0.1, _TOP / n))
    return Importance(shares, n, top, "", remarks)


def n_best(n: int) -> int:
    """Return how many of n trials count as the best: a tenth of them, five at least."""
    return max(_TOP, -(-n // 10))


def _worse_than(values: Sequence[Sequence[float]], directions: Sequence[Direction]) -> list[float]:
    columns = zip(*values, strict=True)
    return [
        min(column) - 1.0 if direction == "maximize" else max(column) + 1.0
        for column, direction in zip(columns, directions, strict=True)
    ]


def _ped_anova(
    space: Config,
    trials: Sequence[TrialRecord],
    values: Sequence[list[float]],
    directions: Sequence[Direction],
    quantile: float,
) -> tuple[dict[str, float], tuple[str, ...]]:
    import optuna

    distributions = {
        name: build({k: v for k, v in spec.items() if k not in AXIS_KEYS}, f"model.space.{name}")
        if isinstance(spec, Mapping)
        else spec
        for name, spec in space.items()
    }
    with quiet(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        study = optuna.create_study(directions=list(directions))
        for trial, objective_values in zip(trials, values, strict=True):
            chosen = dict(trial.parameters)
            study.add_trial(
                optuna.trial.create_trial(
                    values=objective_values,
                    params=chosen,
                    distributions={n: distributions[n] for n in chosen},
                )
            )
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return dict(shares), tuple(dict.fromkeys(" ".join(str(w.message).split()) for w in caught))
