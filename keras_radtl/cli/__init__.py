"""What the commands share: exit codes, options and the wording of messages."""
