"""The battery in the words of others: the GX on MQTT, and Home Assistant."""
