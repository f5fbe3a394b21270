"""Hydra's plug-in: the sweeper that hands a whole grid to bakeoff."""
