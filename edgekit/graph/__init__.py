"""The int8 graph: what a .tflite file says, checked, and nothing of C or of a board."""
