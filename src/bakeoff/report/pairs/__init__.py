"""Models against each other, pair by pair: numbers only."""
