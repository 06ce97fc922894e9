"""Sweeps: lists of runs, executed in worker processes that share their work."""
