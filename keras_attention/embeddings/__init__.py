"""Words -> vectors learned beforehand from text -> an embedding layer."""
