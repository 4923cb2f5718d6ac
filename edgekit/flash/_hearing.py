"""Hears a known sentence in a noisy stream of bytes."""


class Listener:
    """Says when a sentence has just gone by, even if some of its bytes were lost, changed or came on top.

    It follows the edit distance between the sentence and the best end of what was heard, all beginnings of
    the sentence at a time: bit i of `_more` and `_less` says whether the distance of the first i + 1 bytes is
    one more, or one less, than that of the first i. Source: G. Myers, A fast bit-vector algorithm for
    approximate string matching, J. ACM 46, 1999.
    """

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        text = sentence.encode("ascii")
        self._all = (1 << len(text)) - 1
        self._last = 1 << len(text) - 1
        self._places = {byte: sum(1 << i for i, own in enumerate(text) if own == byte) for byte in set(text)}
        self._more, self._less = self._all, 0
        self._distance = len(text)
        self._tolerated = len(text) // 6

    def hears(self, byte: int) -> bool:
        """Take the next byte of the stream and return whether the sentence ends here."""
        places = self._places.get(byte, 0)
        changed = places | self._less
        same = (((places & self._more) + self._more) ^ self._more) | places
        up = self._less | ~(same | self._more) & self._all
        down = self._more & same
        self._distance += bool(up & self._last) - bool(down & self._last)
        up, down = up << 1 & self._all, down << 1 & self._all
        self._more = down | ~(changed | up) & self._all
        self._less = up & changed
        return self._distance <= self._tolerated
