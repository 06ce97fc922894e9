"""Intervals and tests on predictions and result tables; needs neither TensorFlow nor images.

`delong` judges areas under ROC curves, `paired` tests classifiers on the same cases, `ranks` and `mixed_model` compare
settings over a result table, `intervals` gives proportions and bootstraps their uncertainty.
"""
