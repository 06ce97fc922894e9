"""How good predictions are, each figure with its interval: classification, multi-label and calibration."""
