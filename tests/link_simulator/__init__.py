"""A serial line with faults on a virtual clock, and the real device code at its other end."""
