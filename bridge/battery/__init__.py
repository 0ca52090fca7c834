"""One virtual battery; it knows ports, not libraries."""
