"""Layers that are registered with Keras: heads, BatchNorm with a statistics policy, pixel scaling."""
