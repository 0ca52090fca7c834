"""The charge plan: to which voltage and SoC the battery is charged, and how often to full."""
