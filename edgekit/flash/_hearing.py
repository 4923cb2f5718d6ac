"""Hears a known sentence in a noisy stream of bytes."""


class Listener:
    """Says when a sentence has just gone by, even if some of its bytes were lost, changed or came on top.

    Keeps one column of Sellers' matrix: the edit distances between each beginning of the sentence and the
    best end of what was heard. Source: P. Sellers, The theory and computation of evolutionary distances,
    J. Algorithms 1, 1980.
    """

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        self._bytes = sentence.encode("ascii")
        self._tolerated = len(self._bytes) // 6
        self._distances = list(range(len(self._bytes) + 1))

    def hears(self, byte: int) -> bool:
        """Take the next byte of the stream and return whether the sentence ends here."""
        above = self._distances
        column = [0]
        for i, wanted in enumerate(self._bytes):
            column.append(min(above[i] + (byte != wanted), above[i + 1] + 1, column[i] + 1))
        self._distances = column
        return column[-1] <= self._tolerated
