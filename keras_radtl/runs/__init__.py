"""Runs: a configuration goes in, a run directory comes out; other commands read it from there."""
