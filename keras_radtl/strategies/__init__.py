"""Fine-tuning strategies: their phases, optimizers, learning-rate schedules and multipliers, and L1-SP and L2-SP."""
