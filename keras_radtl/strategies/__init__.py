"""Strategies: what trains when, how fast and pulled where, as lists of phases run by one loop."""
