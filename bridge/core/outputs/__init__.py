"""What the battery publishes: bus values, alarms, the state document."""
