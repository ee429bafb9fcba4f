"""What a model expects next -> whole sentences of token ids."""
