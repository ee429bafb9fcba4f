"""Sentences and settings -> a translator and all that it came from, in one folder."""
