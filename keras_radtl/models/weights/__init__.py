"""Pretrained weights: where they come from, how files are read safely and matched to layers."""
