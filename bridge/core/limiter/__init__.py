"""How much the chargers and inverters may do: the smallest cap of all protections, loosened
slowly."""
