"""Source ids (B, S) -> memory (B, S, D): the left half of the paper's figure 1."""

from keras_attention.layers.encoder_layer import EncoderLayer
from keras_attention.models.layer_stack import LayerStack


class Encoder(LayerStack):
    """The layers of the encoder, in their order."""

    layer_class, half, side = EncoderLayer, "encoder", "source"

    def __call__(self, source_ids):
        x = self.dropout(self.position(self.embedding(source_ids)))  # (B, S, D)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)

    def attention_maps(self, source_ids):
        """The memory (B, S, D), and for each layer the weights (B, N, S, S)."""
        mask = self.embedding.compute_mask(source_ids)
        x = self.position(self.embedding(source_ids))
        maps = []
        for layer in self.layers:
            x, weights = layer.attend(x, mask)
            x = layer.transform(x)
            maps.append(weights)
        return self.norm(x), maps
