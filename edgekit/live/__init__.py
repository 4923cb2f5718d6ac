"""Live runs: frames in, events out. What shows the events, a terminal or a web page, stands above."""

FEW_FRAMES = 32
"""So many are sent over the serial line of an emulated board unless the caller wants otherwise."""
OWN_CAMERA = "board"
"""The source that is the board's own camera."""
