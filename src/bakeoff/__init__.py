"""bakeoff: compare recommenders for implicit feedback on equal terms."""

__version__ = "0.1.0"
