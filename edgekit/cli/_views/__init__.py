"""One module per serial protocol: how `monitor` checks its options and shows its events."""
