"""Hyperparameters chosen inside the train part, under one budget for every model.

:func:`tune` runs a cell's study and gives the winner; :func:`check` refuses a bad space before the first fit;
:func:`final_fit` is held by the one process that fits the winner.
"""

from bakeoff.tuning.tune import check, final_fit, tune

__all__ = ["check", "final_fit", "tune"]
