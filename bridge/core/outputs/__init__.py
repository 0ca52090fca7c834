"""What the battery tells: bus values, alarms, the state document."""
