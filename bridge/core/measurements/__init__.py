"""What was measured, how old it is, and how far it is believed."""
