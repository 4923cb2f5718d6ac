"""From a graph to C: the memory plan, the generated sources, and what they need of a board."""
