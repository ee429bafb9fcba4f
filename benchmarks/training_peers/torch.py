"""torch's nn.Transformer, with embeddings and positions as ours."""

import contextlib
import math

import torch
from case import LAYER_NORM_EPSILON, PAD, cores, sinusoid
from memory import peak_mib
from torch import nn
from torch.nn import functional

from training_peers import BETAS, EPSILON, LABEL_SMOOTHING, LEARNING_RATE
from training_peers.torch_weights import rename_weights

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def build(case, number_format):
    torch.set_num_threads(cores())
    torch.manual_seed(0)
    number_format, _, compiled = number_format.partition(" ")
    loss = TranslationLoss(case.config).to(DEVICE)
    return TorchTrainer(loss, case.batches, number_format, compiled == "compiled")


def loss_difference(case):
    """How far the loss is from ours with the same weights, in float32."""
    loss = TranslationLoss(case.config).to(DEVICE).eval()
    loss.load_state_dict(rename_weights(case.checked_weights))
    return abs(loss(*prepare(case.checked_batch)).item() - case.config["checked_loss"])


class TranslationLoss(nn.Module):
    """Source ids (B, S), target ids (B, T), labels (B, T) -> loss."""

    def __init__(self, config):
        super().__init__()
        sizes = config["model"]
        d_model, dropout_rate = sizes["d_model"], sizes["dropout_rate"]
        self.embedding = nn.Embedding(config["vocab_size"], d_model)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)
        positions = torch.from_numpy(sinusoid(config["longest"], d_model))  # (T, D)
        self.register_buffer("positions", positions, persistent=False)
        self.dropout = nn.Dropout(dropout_rate)
        self.transformer = nn.Transformer(
            d_model,
            sizes["num_heads"],
            sizes["num_layers"],
            sizes["num_layers"],
            sizes["d_ff"],
            dropout_rate,
            layer_norm_eps=LAYER_NORM_EPSILON,
            batch_first=True,
        )
        make_as_ours(self.transformer)

    def forward(self, source_ids, target_ids, labels):
        length = target_ids.shape[1]
        causal_mask = nn.Transformer.generate_square_subsequent_mask(
            length, device=target_ids.device
        )  # (T, T)
        is_padding = source_ids == PAD  # (B, S)
        x = self.transformer(
            self.embed(source_ids),
            self.embed(target_ids),
            tgt_mask=causal_mask,
            src_key_padding_mask=is_padding,
            memory_key_padding_mask=is_padding,
            # The target's padding comes last, so that the causal mask hides it, too.
            tgt_is_causal=True,
        )
        logits = functional.linear(x, self.embedding.weight)  # (B, T, V)
        return functional.cross_entropy(
            logits.flatten(0, 1).float(),
            labels.flatten(),
            ignore_index=PAD,
            label_smoothing=LABEL_SMOOTHING,
        )

    def embed(self, ids):
        vectors = self.embedding(ids) * math.sqrt(self.embedding.embedding_dim)
        return self.dropout(vectors + self.positions[: ids.shape[1]])  # (B, T, D)


def make_as_ours(transformer):
    """Drop out the outputs of sub-layers only, and do not normalise behind the last."""
    transformer.encoder.norm = transformer.decoder.norm = None
    for layer in (*transformer.encoder.layers, *transformer.decoder.layers):
        layer.dropout = nn.Identity()  # of the hidden units of the feed-forward network
        for part in layer.children():
            if isinstance(part, nn.MultiheadAttention):
                part.dropout = 0.0


class TorchTrainer:
    """Step by step: forward, backward, Adam."""

    def __init__(self, loss, batches, number_format, compiled):
        self.parameters = sum(p.numel() for p in loss.parameters())
        self.optimizer = torch.optim.Adam(
            loss.parameters(), LEARNING_RATE, BETAS, EPSILON, fused=True
        )
        self.loss = torch.compile(loss) if compiled else loss
        self.number_format = number_format
        self.batches = [prepare(batch) for batch in batches]
        self.steps = len(batches)

    def first_step(self):
        return self._step(self.batches[0]).item()

    def train(self):
        for batch in self.batches:
            loss = self._step(batch)
        return loss.item()

    def peak_mib(self):
        if DEVICE == "cpu":
            return peak_mib()
        return torch.cuda.max_memory_allocated() / 2**20

    def _step(self, batch):
        with self._precision():
            loss = self.loss(*batch)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.detach()

    def _precision(self):
        if self.number_format == "float32":
            return contextlib.nullcontext()
        return torch.autocast(DEVICE, getattr(torch, self.number_format))


def prepare(batch):
    """Arrays -> tensors, without rows that are padding alone, where torch gives NaN."""
    *_, labels = batch
    is_real = (labels != PAD).any(axis=1)  # (B,)
    return [torch.from_numpy(array[is_real]).long().to(DEVICE) for array in batch]
