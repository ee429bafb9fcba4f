"""Our exported SavedModel, without our package: strings in, strings out.

With "per core" behind its format each operation has one core, and operations that do not
wait for each other run side by side; otherwise all cores work on the same operation.
"""

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the tokenizer's operations


def build(case, number_format, search):
    number_format, _, layout = number_format.partition(" ")
    if layout == "per core":
        tf.config.threading.set_intra_op_parallelism_threads(1)
    folder = case.export_folder(number_format, search)
    if not folder.exists():
        raise RuntimeError(f"no export: {case.why_not_exported(number_format)}")
    loaded = tf.saved_model.load(str(folder))
    name = "greedy" if search.beam_size == 1 else "serving_default"
    answer = loaded.signatures[name]

    def translate(texts):
        answers = answer(text=tf.constant(texts))
        return [text.decode(errors="replace") for text in answers["text"].numpy()]

    return translate
