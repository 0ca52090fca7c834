"""A random search for a write, a silence or a restart after which a limit allows too much.

`written.py` and `laws.py` are an oracle: from what was written and the clock alone they know what
no limit may exceed. `generator.py` makes scripts, `world.py` plays them to a whole battery, and
`search.py` compares both. `lies.py` does the same with a simulated pack whose sensors lie.
"""
