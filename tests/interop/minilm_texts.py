"""Sentences of many kinds, which a tokenizer and an encoder must both get right."""

TEXTS = [
    "A dog runs.",
    "A puppy is running!",
    "It rains cats and dogs in Zürich; what a naïve façade.",
    "한국어 문장 中文字",
    "don't stop-me now... U.S.A. 3.14 $5, 50% (e.g.) foo_bar@example.com",
    "x" * 150,
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "many words " * 200,
    "",
]
