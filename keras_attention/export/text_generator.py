"""A language model and its tokenizer -> texts that go on, and a SavedModel."""

import numpy as np
import tensorflow as tf

from keras_attention.decoding.constraints import force_prefix
from keras_attention.decoding.greedy_search import greedy_search
from keras_attention.decoding.sampling import (
    require_distribution,
    require_seed,
    require_tokens,
    sample_at,
)
from keras_attention.decoding.scoring import Scores, score
from keras_attention.export.graph_function import (
    IDS,
    TEXT,
    graph_function,
    require_short,
)
from keras_attention.export.sentence_graph import with_end
from keras_attention.export.text_functions import TextFunctions, require_vocabulary
from keras_attention.export.texts import as_text
from keras_attention.layers.requirements import require_positive
from keras_attention.special_tokens import PAD, START

SEED = tf.TensorSpec((), tf.int32, name="seed")
TEMPERATURE = tf.TensorSpec((), tf.float32, name="temperature")


class TextGenerator(TextFunctions):
    """Go on with texts by a trained language model.

    A prompt is cut into tokens, and the text is made to begin with them; what follows
    is drawn token by token. All of it happens in one graph of TensorFlow, here and in
    the exported SavedModel, which gives the same texts for the same seed. A prompt
    ends where a token ends, so best behind a whole word.

    The export's signatures take `text`, strings (B,):

    * `serving_default`: `text` (B,), drawn with this generator's settings and seed 0,
      so always the same for the same prompts
    * `sample`: takes also the scalars `seed`, int32, and `temperature`, float32
    * `greedy`: the most likely token at each step, `text` (B,)
    * `score`: `log_probs` and `scores` (B,)

    Args:
        model: A `LanguageModel`.
        tokenizer: `SubwordTokenizer` of its vocabulary.
        max_length: Most tokens of a text, END included; at most the model's own
            `max_length`, which None takes.
        temperature, top_k, top_p: See `keras_attention.sample`.

    Raises:
        RuntimeError: On another backend than TensorFlow.
        ValueError: If the tokenizer does not fit the model's vocabulary, or a setting
            is out of its range.

    Example:

        generator = TextGenerator(model, tokenizer, max_length=40, top_p=0.9)
        generator(["A man", "Two dogs", ""], seed=1)
        generator.export("saved_models/captions/1")
    """

    def __init__(
        self,
        model,
        tokenizer,
        max_length=None,
        temperature=1.0,
        top_k=None,
        top_p=None,
    ):
        super().__init__(model, tokenizer)
        longest = model.config["max_length"]
        max_length = longest if max_length is None else max_length
        require_length(max_length, longest)
        vocab_size = model.config["vocab_size"]
        require_vocabulary("TextGenerator", tokenizer.vocab_size, vocab_size)
        require_distribution(temperature, top_k, top_p)
        require_tokens(top_k, tokenizer.vocab_size)
        self.max_length = max_length
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        numbers, scalar = tf.TensorSpec((None, None)), tf.TensorSpec(())
        self._draw = graph_function(self.draw, IDS, numbers, scalar)
        self._most_likely = graph_function(self.most_likely, IDS)
        self._score = graph_function(self.score_ids, IDS)

    def signatures(self):
        def sample(text, seed, temperature):
            uniforms = self.uniforms(tf.shape(text)[0], seed)
            return {"text": self.draw(self.to_ids(text), uniforms, temperature)}

        def draw(text):
            return sample(text, 0, self.temperature)

        def greedy(text):
            return {"text": self.most_likely(self.to_ids(text))}

        def score(text):
            return self.score_ids(self.to_ids(text))._asdict()

        return {
            "serving_default": graph_function(draw, TEXT),
            "sample": graph_function(sample, TEXT, SEED, TEMPERATURE),
            "greedy": graph_function(greedy, TEXT),
            "score": graph_function(score, TEXT),
        }

    def __call__(self, prompts, seed=0, temperature=None, batch_size=64):
        """Go on with each prompt, at random; repeat one to get several texts.

        Args:
            prompts: List, tuple or array of str; "" to begin a text.
            seed: Integer in [0, 2**31). The same one gives the same texts again, each
                prompt at its own place in the list.
            temperature: Instead of the constructor's.
            batch_size: Texts written at once.

        Returns:
            A list of str: each prompt, as the tokenizer writes it, and what follows.

        Raises:
            TypeError: If `prompts` is a single str, or holds something else than str.
            ValueError: If a prompt leaves no room for END, or a value is out of its
                range.
        """
        temperature = self.temperature if temperature is None else temperature
        require_distribution(temperature, None, None)
        require_small_seed(seed)
        prompt_ids = self._ids(prompts)
        uniforms = self.uniforms(len(prompt_ids), seed)

        def draw(rows):
            return self._draw(prompt_ids[rows], uniforms[rows], float(temperature))

        return [as_text(text) for text in in_batches(draw, prompt_ids, batch_size)]

    def greedy(self, prompts, batch_size=64):
        """Go on with each prompt by the most likely token at each step: list of str."""
        prompt_ids = self._ids(prompts)

        def write(rows):
            return self._most_likely(prompt_ids[rows])

        return [as_text(text) for text in in_batches(write, prompt_ids, batch_size)]

    def score(self, texts, batch_size=64):
        """Say how likely the model finds texts.

        Returns:
            `Scores(log_probs (B,), scores (B,))`, NumPy, in nats: of each text, and the
            mean of its tokens, END included.

        Raises:
            TypeError, ValueError: As for a call.
        """
        ids = self._ids(texts)

        def score_rows(rows):
            return tf.stack(self._score(ids[rows]), axis=1)

        found = list(in_batches(score_rows, ids, batch_size))
        return Scores(*np.array(found, "float32").reshape(-1, 2).T)

    def draw(self, prompt_ids, uniforms, temperature):
        """Ids (B, P), numbers (B, T) in [0, 1) -> texts (B,), in a graph."""
        next_logits, start_ids, options = self.begin(prompt_ids)
        ids = sample_at(
            uniforms,
            next_logits,
            start_ids,
            temperature=temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            **options,
        )
        return self.tokenizer.detokenize(ids)

    def most_likely(self, prompt_ids):
        """Ids (B, P) -> texts (B,), in a graph."""
        next_logits, start_ids, options = self.begin(prompt_ids)
        ids = greedy_search(
            next_logits, start_ids, max_length=self.max_length + 1, **options
        )
        return self.tokenizer.detokenize(ids)

    def begin(self, prompt_ids):
        """What each search is given of its prompts (B, P)."""
        next_logits, start_ids, cache = self.model.start_search(
            tf.shape(prompt_ids)[0], max_length=None
        )
        return (
            next_logits,
            start_ids,
            {"cache": cache, "constraints": [force_prefix(prompt_ids)]},
        )

    def score_ids(self, ids):
        """Ids of texts (B, T) -> `Scores`, of which a score is the mean of a token."""
        labels = with_end(tf.RaggedTensor.from_tensor(ids, padding=PAD))
        starts = tf.fill((tf.shape(labels)[0], 1), START)
        logits = self.model(tf.concat([starts, labels], axis=1)[:, :-1])
        # By its length, which is the penalty ((0 + length) / (0 + 1)) ** 1.
        return score(self.model.forbid(logits), labels, 1.0, 0.0)

    def uniforms(self, rows, seed):
        """One number in [0, 1) for each token of each text, START included: (B, T)."""
        shape = (rows, self.max_length + 1)
        return tf.random.stateless_uniform(shape, tf.stack([seed, 0]))

    def to_ids(self, text):
        """Strings (B,) -> ids (B, P), PAD behind each; an error if one is too long."""
        pieces = require_short(
            self.tokenizer.tokenize(text),
            self.max_length - 1,  # and END
            f"A text leaves no room for END in max_length={self.max_length} tokens. "
            "Shorten it.",
        )
        return pieces.to_tensor(PAD)

    def _ids(self, texts):
        texts = self.strings(texts)
        lengths = self.tokenizer.tokenize(texts).row_lengths().numpy()
        require_room_for_end(lengths, self.max_length)
        return self.to_ids(texts)


def in_batches(function, ids, batch_size):
    """What a function makes of some rows at a time, as one sequence."""
    require_positive("TextGenerator", batch_size=batch_size)
    for first in range(0, len(ids), batch_size):
        yield from function(slice(first, first + batch_size)).numpy()


def require_length(max_length, longest):
    """Raise ValueError unless a text of this length can be written."""
    if not 2 <= max_length <= longest:
        raise ValueError(
            f"TextGenerator: got max_length={max_length}, but there must be room for a "
            f"token and END, and the model has {longest} positions. Use a number from "
            f"2 to {longest}."
        )


def require_small_seed(seed):
    """Raise unless `seed` is one that the exported graph takes, too."""
    require_seed(seed)
    if seed >= 2**31:
        raise ValueError(
            f"TextGenerator: got seed={seed}, but the exported graph takes an int32. "
            "Use an integer in [0, 2**31)."
        )


def require_room_for_end(lengths, max_length):
    """Raise ValueError if a text fills all tokens that there may be."""
    if (lengths >= max_length).any():
        index = int((lengths >= max_length).argmax())
        raise ValueError(
            f"TextGenerator: got a text of {lengths[index]} tokens at index {index}, "
            f"but with END it may have max_length={max_length} at most. Shorten it, or "
            f"use a generator with a larger max_length."
        )
