"""Checks of an installation and its machine."""
