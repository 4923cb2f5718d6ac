"""One module per serial protocol, with the same function: `run(asked)` opens the board and yields events."""
