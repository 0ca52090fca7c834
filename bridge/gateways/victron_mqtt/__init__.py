"""The topics N/ and R/ of a GX, for our batteries where no GX serves them."""
