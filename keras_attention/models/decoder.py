"""Target ids (B, T), memory (B, S, D) -> logits (B, T, V): figure 1, the right half."""

from keras import ops

from keras_attention.layers.decoder_layer import DecoderLayer
from keras_attention.models.layer_stack import LayerStack


class Decoder(LayerStack):
    """The layers of the decoder, in their order; all at once, or token by token."""

    layer_class, half, side = DecoderLayer, "decoder", "target"

    def __call__(self, target_ids, memory):
        x = self.dropout(self.position(self.embedding(target_ids)))  # (B, T, D)
        for layer in self.layers:
            x = layer(x, memory)
        return self.embedding.project(self.norm(x))

    def start(self, memory, padding_mask, max_length):
        """The caches of an empty target, and of the memory: see Transformer.start."""
        rows = ops.shape(memory)[0]
        cache = [
            layer.self_attention.empty_cache(rows, max_length) for layer in self.layers
        ]
        memory_cache = [
            layer.cross_attention.memory_cache(memory, padding_mask)
            for layer in self.layers
        ]
        return cache, memory_cache

    def step(self, token_ids, cache, index, memory_cache):
        """What follows position `index`: see Transformer.step."""
        x = self.position.step(self.embedding(token_ids), index)  # (R, D)
        extended, maps = [], []
        for layer, past, memory in zip(self.layers, cache, memory_cache):
            x, past, weights = layer.step(x, past, index, memory)
            extended.append(past)
            maps.append(weights)
        return self.embedding.project(self.norm(x)), extended, maps

    @property
    def step_weights(self):
        """The weights that `step` reads: all but those of the memory's keys and values,
        which `start` has read."""
        layers = [self.embedding, *self.layers, self.norm]
        weights = [w for layer in layers for w in getattr(layer, "weights", ())]
        of_memory = [layer.cross_attention.key_value for layer in self.layers]
        left_out = {id(w) for layer in of_memory for w in layer.weights}
        return [w for w in weights if id(w) not in left_out]

    def attention_maps(self, target_ids, memory, memory_mask):
        """For each layer the weights (B, N, T, T) and (B, N, T, S)."""
        mask = self.embedding.compute_mask(target_ids)
        x = self.position(self.embedding(target_ids))
        maps = {"decoder": [], "cross": []}
        for layer in self.layers:
            x, weights = layer.attend_to_target(x, mask)
            maps["decoder"].append(weights)
            x, weights = layer.attend_to_memory(x, memory, memory_mask)
            maps["cross"].append(weights)
            x = layer.transform(x)
        return maps
