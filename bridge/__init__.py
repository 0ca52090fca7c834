"""A virtual battery for Venus OS, fed over MQTT."""

__version__ = "0.1.0"
