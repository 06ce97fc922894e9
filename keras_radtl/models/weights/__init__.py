"""Pretrained weights: where to find them, how to read files safely, and how to match them to layers."""
