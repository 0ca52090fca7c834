"""What tests that start processes share: see docs/testing.md.

Each test gets its own D-Bus, its own broker on a free port and its own folder, so that tests can
run beside each other and in any order.
"""
