"""From a generated model and a board to a firmware image: assemble, write, build."""
