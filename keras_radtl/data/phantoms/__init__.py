"""Simulated breast-ultrasound images with known class, patient and lesion mask."""
