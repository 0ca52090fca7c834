"""Settings: declared, checked, in force, kept."""
