"""Figures of a model on a board: instructions, memory, accuracy, and how they compare with earlier ones."""
