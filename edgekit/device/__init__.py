"""The host's side of the serial protocol: from bytes on any stream to predictions."""
