"""One cell of the grid, and the grid: instantiate, fit, recommend, measure, isolate."""
