"""Figures: functions that take results and matplotlib axes, and return the axes."""
