"""What the commands share: exit codes, options and old flags."""
