"""The charging laws of two other projects, written anew from what they publish.

Each is one class without clock and I/O, with the numbers that the project's configuration file has
for LFP. `./run compare` lets them and this bridge steer the same simulated pack. What the projects
do besides these laws (drivers, SoC counting, alarms, pages) is not here.

    serialbattery   dbus-serialbattery, commit 358d3c7
    aggregate       dbus-aggregate-batteries, commit 01311d3, with OWN_CHARGE_PARAMETERS
"""
