"""Runs: the run directory and everything that is read from it, such as metrics, predictions and models."""
