from made_results import make, metrics

__all__ = ["make", "metrics"]
