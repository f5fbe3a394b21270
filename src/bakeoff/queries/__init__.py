"""Questions about stored results: which cells, what they recommend, which hyperparameters."""
