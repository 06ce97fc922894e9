"""Registered Keras layers: pixel scaling, BatchNorm with a choice of statistics, and classifier heads."""
