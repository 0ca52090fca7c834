"""Random input for everything that reads what others have written, in one process, by seed."""
