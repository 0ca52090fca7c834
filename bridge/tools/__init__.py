"""Programs for people: watch, explain, record, replay."""
