"""Simulated breast-ultrasound images with known answers."""
