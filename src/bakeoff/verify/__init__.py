"""Every number of an experiment once more, by code that shares none with `bakeoff.evaluation`."""
