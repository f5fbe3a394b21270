"""The edge to Hydra: compose, check and explain a configuration."""
