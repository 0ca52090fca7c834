"""What the battery knows and decides: pure, without a library, a clock, a log or a thread."""
