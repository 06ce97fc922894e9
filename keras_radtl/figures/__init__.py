"""Figures: functions that draw results on matplotlib axes and return the axes."""
