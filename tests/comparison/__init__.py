"""This bridge and the laws of other projects at the same simulated pack: `./run compare`.

`scenarios` says what is simulated, `contestants` who steers, `day` lets one of them live through
one scenario, `table` writes the results into docs/comparison.md. Everything is simulated time and
seeded, so a run gives the same numbers again.
"""
