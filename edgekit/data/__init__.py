"""Labelled image sets: read them, and make of each image the uint8 frame that a model was trained on."""

from edgekit.data.dataset import Dataset
from edgekit.data.frames import Frame, Frames, OnBroken, frames, quantise, stream
from edgekit.data.load import Split, load
from edgekit.data.prepare import prepare
from edgekit.data.randomness import looks_random, refuse_random

__all__ = [
    "Dataset",
    "Frame",
    "Frames",
    "OnBroken",
    "Split",
    "frames",
    "load",
    "looks_random",
    "prepare",
    "quantise",
    "refuse_random",
    "stream",
]
