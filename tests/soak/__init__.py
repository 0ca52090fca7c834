"""Real processes under random faults and load, while their limits and their growth are watched."""
