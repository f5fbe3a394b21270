"""What is stored: records, lists, splits, data, fitted models, experiments."""
