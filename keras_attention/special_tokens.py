"""The ids that every stage agrees on, from the tokenizer to the search."""

PAD = 0
UNKNOWN = 1
START = 2
END = 3
