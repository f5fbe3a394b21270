"""The harness from a notebook: run, load, ask, draw, and measure lists of one's own."""
