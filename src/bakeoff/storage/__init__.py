"""Files: records, lists, splits, data sets, saved models, experiments."""
