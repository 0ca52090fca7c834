"""What was measured, how old it is, and whether it is plausible."""
