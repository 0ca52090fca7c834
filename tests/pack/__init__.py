"""A simulated battery pack: physics, the chargers and loads around it, and an MQTT client.

`curve`, `model`, `charger`, `meters`, `delay` and `simulation` are pure: no clock, no I/O, every
random number from a seed. Tests close the loop with them in process. `client` and `__main__` play
the same pack to a broker, as a BMS would.
"""
