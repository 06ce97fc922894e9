"""Hyperparameter search with KerasTuner.

`space` declares the searched values and `settings` the algorithm; `search` runs the trials in a child process and
writes their results to the folder of the search.
"""
