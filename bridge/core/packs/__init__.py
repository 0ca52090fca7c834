"""A pack: one string of cells, with its measurements, its protections and what they allow."""
