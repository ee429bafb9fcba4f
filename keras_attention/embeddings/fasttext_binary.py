"""A binary file of fastText -> its words and n-grams, loaded by gensim."""

import mmap
import struct

from keras_attention.embeddings.gensim_models import import_gensim
from keras_attention.embeddings.vector_text import OWNER, decode, require_new

MAGIC = struct.pack("<i", 793712314)


def load_fasttext(path, name, encoding, errors):
    """Load the vectors of words and character n-grams, if the file is whole.

    Args:
        path: An unpacked file.
        name: What the messages call it.
        encoding, errors: See `load_word_vectors`. gensim knows only one way for words
            that are not valid: "backslashreplace".

    Returns:
        `gensim.models.fasttext.FastTextKeyedVectors`.

    Raises:
        ValueError: See `load_word_vectors`.
    """
    with open(path, "rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            require_loadable(data, name, encoding, errors)
    load = import_gensim(OWNER).fasttext.load_facebook_vectors
    return load(str(path), encoding=encoding)


def require_loadable(data, name, encoding, errors):
    """Raise ValueError unless the bytes are a whole model that gensim can load.

    gensim never comes back from a file that is cut among its words.
    """
    fields = Fields(data, name)
    new = data[:4] == MAGIC
    d_model = fields.settings(new)
    num_words, _, num_labels, _ = fields.read("<3iq")
    num_pruned = fields.read("<q")[0] if new else 0
    require_unsupervised(num_labels, name)
    place_of = {}
    for place in range(1, num_words + 1):
        where = f"word {place} of {name}"
        word = decode(fields.read_word(), where, encoding, errors)
        require_new(word, place, place_of, f"places {{}} and {{}} of {name}")
        place_of[word] = place
    fields.skip(8 * max(num_pruned, 0))
    for _ in ("vectors", "output layer"):
        require_uncompressed(new and fields.read("<?")[0], name)
        num_rows, width = fields.read("<2q")
        require_width(width, d_model, name)
        fields.skip(4 * num_rows * width)


class Fields:
    """The fields of a file one after another; ValueError where it ends too early."""

    def __init__(self, data, name):
        self.data = data
        self.name = name
        self.position = 0

    def settings(self, new):
        """Pass over the settings of the training. Returns the width of the vectors."""
        if new:
            self.skip(8)  # the mark and the version
        d_model = self.read("<12id")[0]
        return d_model

    def read(self, format):
        start = self.position
        self.skip(struct.calcsize(format))
        return struct.unpack_from(format, self.data, start)

    def read_word(self):
        """The bytes up to NUL; then pass over the word's count and type."""
        start, end = self.position, self.data.find(b"\0", self.position)
        self.require(end >= 0)
        self.position = end + 1
        self.skip(9)
        return self.data[start:end]

    def skip(self, size):
        self.require(0 <= size <= len(self.data) - self.position)
        self.position += size

    def require(self, whole):
        if not whole:
            raise ValueError(
                f"{OWNER}: got {self.name} with {len(self.data)} bytes, but by its own "
                f"sizes it goes on: it is cut or damaged behind byte {self.position}. "
                f"Fetch the file again."
            )


def require_unsupervised(num_labels, name):
    if num_labels:
        raise ValueError(
            f"{OWNER}: got {name}, a fastText classifier with {num_labels} labels, but "
            f"gensim loads word vectors alone. Give a model of cbow or skipgram."
        )


def require_uncompressed(compressed, name):
    if compressed:
        raise ValueError(
            f"{OWNER}: got {name}, a compressed fastText model (.ftz), but gensim "
            f"loads whole ones alone. Give the .bin file."
        )


def require_width(width, d_model, name):
    if width != d_model:
        raise ValueError(
            f"{OWNER}: got vectors of {width} numbers in {name}, but its settings say "
            f"{d_model}. Fetch the file again, as it is damaged."
        )
