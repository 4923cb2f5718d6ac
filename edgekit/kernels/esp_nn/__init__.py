"""Twins of the kernels that call Espressif's ESP-NN: what it can do on an ESP32-S3, and its scratch.

They hold to what ESP-NN 1.1.2 does rightly there by its own source; the board files pin that version.
Activations and constants are 16-byte aligned by the planner and the generator, as its vector loads want.
"""
