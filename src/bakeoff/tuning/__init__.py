"""Hyperparameters chosen inside the train part, under one budget for every model.

:func:`tune` runs a cell's study and gives the winner; :func:`check` refuses a bad space before the first fit.
"""

from bakeoff.tuning.tune import Tuned, check, tune

__all__ = ["Tuned", "check", "tune"]
