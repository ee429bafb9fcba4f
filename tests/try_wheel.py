"""Install a wheel into a fresh environment, and train, export and ask a model there.

    python tests/try_wheel.py dist/keras_attention_transformer-0.1.0-py3-none-any.whl

Nothing of this folder is in reach of what runs: a file that the wheel forgot is missed.
"""

import pathlib
import subprocess
import sys
import tempfile
import venv

# Trains and exports, as the README does.
TRAIN = """
import keras, keras_attention as ka
keras.utils.set_random_seed(1)
english = ["A dog.", "A cat.", "The dog.", "A bird."]
german = ["Ein Hund.", "Eine Katze.", "Der Hund.", "Ein Vogel."]
tokenizer = ka.SubwordTokenizer.train(english + german, vocab_size=30)
batches = ka.translation_dataset(english, german, tokenizer, tokenizer)
model = ka.Transformer.from_preset("tiny", vocab_size=30, dropout_rate=0.0)
model.compile(keras.optimizers.Adam(1e-3), ka.MaskedCrossentropy(), jit_compile=False)
model.fit(batches, epochs=60, shuffle=False, verbose=0)
translator = ka.Translator(model, tokenizer, tokenizer)
assert translator(english) == german, translator(english)
translator.export("export/1")
"""

# Knows the export alone.
ASK = """
import sys, tensorflow as tf, tensorflow_text
answer = tf.saved_model.load("export/1").signatures["serving_default"]
text = answer(text=tf.constant(["A dog."]))["text"].numpy()[0].decode()
assert text == "Ein Hund.", text
assert "keras_attention" not in sys.modules
print("The wheel trains, exports and answers.")
"""


def main():
    [wheel] = [pathlib.Path(path).resolve() for path in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        venv.create(folder / "environment", with_pip=True)
        programs = folder / "environment" / "bin"

        def run(program, *arguments):
            # -I: neither this folder nor PYTHONPATH is looked at.
            subprocess.run([programs / program, *arguments], cwd=folder, check=True)

        run("python", "-m", "pip", "install", "--quiet", f"{wheel}[train]")
        run("python", "-I", "-c", TRAIN)
        run("python", "-I", "-c", ASK)
        run("keras-attention", "--help")


if __name__ == "__main__":
    main()
