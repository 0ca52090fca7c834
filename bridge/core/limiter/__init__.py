"""The limits: the smallest cap of all protections, loosened slowly."""
