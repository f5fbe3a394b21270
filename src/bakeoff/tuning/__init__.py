"""Hyperparameters chosen inside the train part, under one budget for every model."""
