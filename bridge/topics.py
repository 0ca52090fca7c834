"""Every topic's shape, once: how it is built and how it is read."""
