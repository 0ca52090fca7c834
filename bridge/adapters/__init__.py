"""One file for each outside library, or for one service of the operating system."""
