"""Coverage-guided fuzzing of whatever reads bytes that nobody vouches for: `python -m fuzz`, from tests/."""
