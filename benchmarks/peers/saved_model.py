"""Our exported SavedModel, without our package: strings in, strings out.

With "per core" behind its format each core translates sentences of its own, in a thread
that waits for them; otherwise all cores work on the same ones.
"""

import concurrent.futures

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the tokenizer's operations
from case import cores


def build(case, number_format, search):
    number_format, _, layout = number_format.partition(" ")
    threads = 1
    if layout == "per core":
        threads = cores()
        tf.config.threading.set_intra_op_parallelism_threads(1)
    folder = case.export_folder(number_format, search)
    if not folder.exists():
        raise RuntimeError(f"no export: {case.why_not_exported(number_format)}")
    loaded = tf.saved_model.load(str(folder))
    name = "greedy" if search.beam_size == 1 else "serving_default"
    answer = loaded.signatures[name]
    pool = concurrent.futures.ThreadPoolExecutor(threads)

    def translate_share(texts):
        answers = answer(text=tf.constant(texts, tf.string))["text"].numpy()
        return [text.decode(errors="replace") for text in answers]

    def translate(texts):
        shares = [texts[first::threads] for first in range(min(threads, len(texts)))]
        found = list(pool.map(translate_share, shares))
        return [found[i % threads][i // threads] for i in range(len(texts))]

    return translate
