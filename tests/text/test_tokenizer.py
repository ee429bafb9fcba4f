import gzip
import os
import pathlib
import subprocess
import sys
import unicodedata

import keras
import numpy as np
import pytest
import sentencepiece
import tensorflow as tf

from keras_attention.special_tokens import END, PAD, START, UNKNOWN
from keras_attention.text.tokenizer import SubwordTokenizer

pytestmark = pytest.mark.tensorflow

SENTENCES = [
    "개가 공원에서 빠르게 달린다.",
    "고양이는 따뜻한 창가에서 잔다.",
    "나는 어제 도서관에서 책을 읽었다.",
    "닭이 값을 모르고 흙을 밟는다.",
    "A dog runs quickly in the park.",
    "The cat sleeps by the warm window.",
    "Ein Mädchen trinkt Kaffee im Café.",
    "Offices open at 9, 1/2 price!",
]
MODEL_TYPES = ["unigram", "bpe", "char", "word"]
EXACT_TYPES = ["unigram", "bpe"]
SIZES = {"unigram": 90, "bpe": 150, "char": 8000, "word": 8000}


def train(model_type="bpe", lines=SENTENCES, vocab_size=None, **options):
    size = vocab_size or SIZES[model_type]
    return SubwordTokenizer.train(lines, size, model_type, **options)


@pytest.fixture(scope="module", params=MODEL_TYPES)
def tokenizer(request):
    return train(request.param)


@pytest.fixture(scope="module")
def letters():
    return train("char")


def ids_of(tokenizer, sentence):
    return tokenizer.tokenize([sentence]).to_list()[0]


# Agreement of sentencepiece, Python and the graph.


def test_ids_are_those_of_sentencepiece_itself(tokenizer):
    reference = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model_proto)
    unseen = ["Der Hund läuft.", "학교에 간다", "ＡＢＣ ﬁ ½", "", "😀 ▅ \0"]
    for sentence in SENTENCES + unseen:
        assert ids_of(tokenizer, sentence) == reference.encode(sentence)


def test_sentences_come_back_from_their_ids(tokenizer):
    ids = tokenizer.tokenize(SENTENCES)
    texts = [text.decode() for text in tokenizer.detokenize(ids).numpy()]
    assert texts == SENTENCES


def test_ids_are_ragged_int32_without_special_tokens(tokenizer):
    ids = tokenizer.tokenize(SENTENCES)
    assert ids.dtype == tf.int32
    assert ids.shape.as_list() == [len(SENTENCES), None]
    assert ids.values.numpy().min() > END


def test_it_runs_inside_a_tf_function(tokenizer):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def there_and_back(text):
        return tokenizer.detokenize(tokenizer.tokenize(text))

    assert there_and_back(tf.constant(SENTENCES)).numpy().tolist() == [
        sentence.encode() for sentence in SENTENCES
    ]


@pytest.mark.parametrize(
    "disturb",
    [lambda: keras.utils.set_random_seed(1), keras.utils.clear_session],
    ids=["set_random_seed", "clear_session"],
)
def test_it_survives_that_keras_starts_anew(disturb):
    # tensorflow-text's own tokenizer does not (tensorflow/text issue 570).
    first, second = train("bpe"), train("char")
    run = tf.function(first.tokenize)
    batch = tf.constant(SENTENCES)
    ids = [first.tokenize(batch).to_list(), second.tokenize(batch).to_list()]
    assert run(batch).to_list() == ids[0]
    disturb()
    assert first.tokenize(batch).to_list() == ids[0] != ids[1]
    assert second.tokenize(batch).to_list() == ids[1]
    assert run(batch).to_list() == ids[0]


RUN_EXPORTED = """
import sys
import tensorflow as tf
import tensorflow_text

folder, text = sys.argv[1], sys.argv[2]
served = tf.saved_model.load(folder).signatures["serving_default"]
tf.random.set_seed(0)
print(served(text=tf.constant([text]))["text"].numpy()[0].decode())
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    graph = tf.compat.v1.saved_model.load(session, ["serve"], folder)
    signature = graph.signature_def["serving_default"]
    fetched = session.run(
        signature.outputs["text"].name, {signature.inputs["text"].name: [text]}
    )
    print(fetched[0].decode())
assert "sentencepiece" not in sys.modules
"""


def test_a_module_that_holds_it_serves_it_with_tensorflow_text_alone(tmp_path):
    class Echo(tf.Module):
        def __init__(self):
            super().__init__()
            self.tokenizer = train()

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def serve(self, text):
            ids = self.tokenizer.tokenize(text)
            return {"text": self.tokenizer.detokenize(ids)}

    echo = Echo()
    tf.saved_model.save(echo, tmp_path, signatures={"serving_default": echo.serve})
    result = subprocess.run(
        [sys.executable, "-c", RUN_EXPORTED, tmp_path, SENTENCES[0]],
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    assert result.stdout.splitlines() == [SENTENCES[0]] * 2


# Unicode.


@pytest.mark.parametrize(
    "variant, standard",
    [
        (unicodedata.normalize("NFD", "한국어 닭 값 뷁"), "한국어 닭 값 뷁"),
        ("\u1100\u1161", "가"),
        ("ㄱㅏ", "가"),
        ("ﾡ", "ㄱ"),
        ("ＡＢＣ　１２", "ABC 12"),
        ("Cafe\u0301", "Café"),
        ("A\u030a", "\u212b"),
        ("e\u0323\u0302", "\u1ec7"),
        ("ｶﾞ", "ガ"),
        ("oﬃce", "office"),
        ("①", "1"),
    ],
)
def test_equal_texts_in_another_unicode_form_get_equal_ids(variant, standard):
    known = train("char", ["한국어닭값뷁가ᄀ ABC12Caféệoffice Å ガ"])
    ids = ids_of(known, variant)
    assert ids == ids_of(known, standard)
    assert UNKNOWN not in ids


def test_each_hangul_syllable_is_known_in_its_decomposed_form():
    syllables = [chr(code) for code in range(0xAC00, 0xD7A4, 7)]
    tokenizer = SubwordTokenizer.train(syllables, 8000, "char")
    decomposed = [unicodedata.normalize("NFD", syllable) for syllable in syllables]
    ids = tokenizer.tokenize(decomposed)
    assert ids.to_list() == tokenizer.tokenize(syllables).to_list()
    assert len(set(ids.values.numpy())) == len(syllables)


def test_a_composed_syllable_with_a_loose_final_stays_in_two_parts():
    tokenizer = SubwordTokenizer.train(["가각\u11a8"], 99, "char")
    assert len(ids_of(tokenizer, "각")) == 1
    assert len(ids_of(tokenizer, "가\u11a8")) == 2


def test_normalization_rules_differ_in_newlines_and_case():
    assert len(ids_of(train("char"), "a\nb")) == 3
    spaces = train("char", normalization="nmt_nfkc")
    assert ids_of(spaces, "a\n\tb") == ids_of(spaces, "a b")
    folded = train("char", normalization="nfkc_cf")
    assert ids_of(folded, "DOG") == ids_of(folded, "dog")
    literal = train("char", normalization="identity")
    assert ids_of(literal, "ＡＢ") == [UNKNOWN]


# Strings of any kind.

ODD_STRINGS = {
    "empty": "",
    "spaces": "  \u3000 ",
    "newline": "dog\ncat",
    "tab": "dog\tcat",
    "nul": "dog\0cat",
    "invalid UTF-8": b"dog\xff\xfecat",
    "half a character": b"dog\xea\xb0",
    "surrogate in bytes": b"\xed\xa0\x80",
    "emoji": "dog 👨\u200d👩\u200d👧 🇰🇷",
    "right to left": "مرحبا שלום",
    "names of special tokens": "<s> </s> <pad> <unk>",
    "sentencepiece's own marks": "▁ ▅ ⁇",
    "100,000 characters": "The cat " * 12500,
    "100,000 syllables": "고양이" * 33333,
}


@pytest.mark.parametrize("kind", ODD_STRINGS)
def test_an_odd_string_gets_its_own_ids_and_leaves_its_neighbours_alone(
    tokenizer, kind
):
    plain = ids_of(tokenizer, SENTENCES[0])
    odd = ids_of(tokenizer, ODD_STRINGS[kind])
    batch = tokenizer.tokenize([SENTENCES[0], ODD_STRINGS[kind], SENTENCES[0]])
    assert batch.to_list() == [plain, odd, plain]
    assert all(id == UNKNOWN or END < id < tokenizer.vocab_size for id in odd)
    assert tokenizer.detokenize(batch).shape == (3,)


def test_a_run_of_unknown_characters_is_one_unknown(letters):
    dog, cat = ids_of(letters, "dog"), ids_of(letters, "cat")
    for unknown in ["\0", "😀", "😀😀", "\n", b"\xff\xfe", "▅"]:
        unknown = unknown if isinstance(unknown, bytes) else unknown.encode()
        assert ids_of(letters, b"dog" + unknown + b"cat") == [*dog, UNKNOWN, *cat]


def test_empty_strings_and_empty_batches_have_no_tokens(tokenizer):
    assert tokenizer.tokenize(["", "  "]).to_list() == [[], []]
    assert tokenizer.tokenize([]).to_list() == []
    assert tokenizer.detokenize(tokenizer.tokenize([""])).numpy().tolist() == [b""]
    assert tokenizer.detokenize(tf.zeros([0, 5], tf.int32)).shape == (0,)


@pytest.mark.parametrize(
    "convert",
    [tuple, np.array, tf.constant, lambda texts: [text.encode() for text in texts]],
    ids=["tuple", "numpy", "tensor", "bytes"],
)
def test_strings_come_in_any_container(letters, convert):
    expected = letters.tokenize(SENTENCES).to_list()
    assert letters.tokenize(convert(SENTENCES)).to_list() == expected


def test_one_string_is_no_batch(letters):
    with pytest.raises(TypeError, match=r"one string, 'A dog'.*Put it in a list"):
        letters.tokenize("A dog")


@pytest.mark.parametrize("strings", [["a", None], [1, 2], ["\ud800"]])
def test_what_is_no_string_is_refused(letters, strings):
    with pytest.raises(TypeError, match=r"got a list, but needs .* strings"):
        letters.tokenize(strings)


def test_strings_of_another_shape_are_refused(letters):
    with pytest.raises(ValueError, match=r"shape \(1, 2\), but needs \(B,\)"):
        letters.tokenize([["a", "b"]])


# Detokenizing.


def test_special_tokens_vanish_and_nothing_follows_the_first_end(letters):
    dog, cat = ids_of(letters, "dog"), ids_of(letters, "cat")
    rows = [[START, *dog, END, *cat], [PAD, *cat, PAD, START, PAD, END], [END, *dog]]
    assert letters.detokenize(rows).numpy().tolist() == [b"dog", b"cat", b""]


@pytest.mark.parametrize(
    "convert",
    [
        list,
        tf.ragged.constant,
        lambda rows: tf.ragged.constant(rows).to_tensor(PAD),
        lambda rows: tf.ragged.constant(rows, tf.int64).to_tensor(PAD).numpy(),
    ],
    ids=["lists", "ragged", "dense", "numpy int64"],
)
def test_ids_come_in_any_container(letters, convert):
    rows = letters.tokenize(["dog", "a cat", ""]).to_list()
    assert letters.detokenize(convert(rows)).numpy().tolist() == [b"dog", b"a cat", b""]


@pytest.mark.parametrize("id", [-1, 99999, 2**31 - 1, 2**32 + 5])
def test_an_id_outside_the_vocabulary_is_refused(letters, id):
    last = letters.vocab_size - 1
    with pytest.raises(ValueError, match=rf"ids \[{id}\].* from 0 to {last}"):
        letters.detokenize(np.array([[5, id]]))


def test_an_id_outside_the_vocabulary_stops_a_graph(letters):
    # tensorflow-text's own OutOfRangeError would end this dataset quietly.
    dataset = tf.data.Dataset.from_tensors([[5, 99999]]).map(letters.detokenize)
    with pytest.raises(tf.errors.InvalidArgumentError, match="got ids.*99999"):
        list(dataset)


@pytest.mark.parametrize("ids", [[], [[]], [[], []]])
def test_no_ids_are_empty_sentences(letters, ids):
    assert letters.detokenize(ids).numpy().tolist() == [b""] * len(ids)


def test_an_id_after_the_end_does_not_matter(letters):
    assert letters.detokenize([[END, 99999]]).numpy().tolist() == [b""]


def test_ids_must_be_a_matrix_of_integers(letters):
    with pytest.raises(ValueError, match=r"shape \(2,\), but needs \(B, T\)"):
        letters.detokenize(np.array([5, 6]))
    with pytest.raises(TypeError, match="got float32, but ids are integers"):
        letters.detokenize(tf.constant([[5.0]]))


# Pieces.


def test_pieces_are_one_a_token_and_spell_the_sentence(tokenizer):
    pieces = tokenizer.pieces("A dog runs")
    assert len(pieces) == len(ids_of(tokenizer, "A dog runs"))
    assert "".join(pieces).replace("▁", " ").strip() == "A dog runs"


def test_ids_become_pieces_in_a_graph_too(tokenizer):
    [ids] = tokenizer.tokenize(["A dog runs."]).numpy()
    ids = np.array([[START, *ids, END, PAD]], "int32")
    expected = [["", *tokenizer.pieces("A dog runs."), "</s>", ""]]
    for ids_to_pieces in tokenizer.ids_to_pieces, tf.function(tokenizer.ids_to_pieces):
        pieces = ids_to_pieces(tf.constant(ids)).numpy()
        assert [[piece.decode() for piece in row] for row in pieces] == expected


def test_the_first_pieces_are_the_special_tokens(tokenizer):
    specials = [tokenizer.id_to_piece(id) for id in (PAD, UNKNOWN, START, END)]
    assert specials == ["<pad>", "<unk>", "<s>", "</s>"]


@pytest.mark.parametrize("id", [-1, 99999])
def test_a_piece_outside_the_vocabulary_is_refused(letters, id):
    with pytest.raises(ValueError, match=rf"ids \[{id}\]"):
        letters.id_to_piece(id)


# Training.


def test_letters_map_one_to_one(letters):
    assert letters.pieces("a dog") == ["a", "▁", "d", "o", "g"]


def test_words_map_one_to_one():
    assert train("word").pieces("A dog runs") == ["▁A", "▁dog", "▁runs"]


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_training_twice_gives_the_same_bytes(model_type):
    assert train(model_type).model_proto == train(model_type).model_proto


@pytest.mark.parametrize("model_type", EXACT_TYPES)
def test_the_size_of_a_subword_vocabulary_is_exact(model_type):
    assert train(model_type).vocab_size == SIZES[model_type]


@pytest.mark.parametrize("model_type", ["char", "word"])
def test_the_size_of_a_closed_vocabulary_is_a_bound(model_type):
    lines = ["a", "a", "a", "b", "b", "c"]
    assert train(model_type, lines, vocab_size=8000).vocab_size == 4 + 3
    frequent = train(model_type, lines, vocab_size=4 + 2)
    assert frequent.vocab_size == 4 + 2
    unknown = [UNKNOWN in ids_of(frequent, line) for line in ["a", "b", "c"]]
    assert unknown == [False, False, True]


def advised_size(model_type, vocab_size, lines=SENTENCES):
    """The size that the error about another one advises."""
    with pytest.raises(ValueError) as error:
        train(model_type, lines, vocab_size)
    return int(str(error.value).split("vocab_size to ")[1].split()[0])


@pytest.mark.parametrize("model_type", EXACT_TYPES)
def test_a_vocabulary_too_large_for_the_corpus_names_the_largest(model_type):
    with pytest.raises(ValueError, match=rf"vocab_size=8000.*{model_type} .* at most"):
        train(model_type, vocab_size=8000)
    largest = advised_size(model_type, vocab_size=8000)
    assert train(model_type, vocab_size=largest).vocab_size == largest
    with pytest.raises(ValueError, match="at most"):
        train(model_type, vocab_size=largest + 1)


@pytest.mark.parametrize("model_type", EXACT_TYPES)
def test_a_vocabulary_too_small_for_the_characters_names_the_smallest(model_type):
    with pytest.raises(ValueError, match=rf"vocab_size=9.*{model_type} .* at least"):
        train(model_type, vocab_size=9)
    smallest = advised_size(model_type, vocab_size=9)
    assert train(model_type, vocab_size=smallest).vocab_size == smallest
    with pytest.raises(ValueError, match="at least"):
        train(model_type, vocab_size=smallest - 1)


@pytest.mark.parametrize("lines", [[], ["", "  "], ["▁", "▅"]])
@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_corpus_without_characters_is_refused(model_type, lines):
    with pytest.raises(
        ValueError, match=rf"got {len(lines)} lines without a character"
    ):
        train(model_type, lines)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_long_sentences_are_learned_from(model_type):
    words = "bc " * 3000
    lines = [words + "qq " + words, "가" * 5000 + "나", "xyz"]
    size = advised_size(model_type, 5, lines) if model_type in EXACT_TYPES else 8000
    tokenizer = train(model_type, lines, size)
    for word in ["qq", "bc"]:
        assert UNKNOWN not in ids_of(tokenizer, word)
    assert model_type == "word" or UNKNOWN not in ids_of(tokenizer, "나")


@pytest.mark.parametrize("model_type", ["unigram", "bpe", "char"])
@pytest.mark.parametrize("odd", ["\n", "\0", "\t", "\r", "▅", "▁"])
def test_a_line_with_an_odd_character_is_learned_from(model_type, odd):
    lines = [f"dog{odd}cat", f"{odd}fish", f"bird{odd}"]
    size = 8000 if model_type == "char" else advised_size(model_type, 5, lines)
    tokenizer = train(model_type, lines, size)
    for word in ["dog", "cat", "fish", "bird"]:
        assert UNKNOWN not in ids_of(tokenizer, word)


def test_files_and_sentences_train_alike(tmp_path):
    text = "\n".join(SENTENCES).encode()
    (tmp_path / "plain.txt").write_bytes(text)
    (tmp_path / "zipped.txt.gz").write_bytes(gzip.compress(text))
    expected = train().model_proto
    assert train(lines=[tmp_path / "plain.txt"]).model_proto == expected
    assert train(lines=[tmp_path / "zipped.txt.gz"]).model_proto == expected
    (tmp_path / "head.txt").write_bytes("\n".join(SENTENCES[:3]).encode())
    mixed = [tmp_path / "head.txt", *SENTENCES[3:]]
    assert train(lines=mixed).model_proto == expected


def test_training_says_nothing(capfd):
    train("unigram")
    assert capfd.readouterr() == ("", "")


def test_rare_characters_can_be_left_out():
    lines = ["ab" * 500 + "q"]
    covered = train("char", lines, character_coverage=0.99)
    assert ids_of(covered, "q") == [UNKNOWN]
    assert ids_of(train("char", lines), "q") != [UNKNOWN]


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"model_type": "wordpiece"},
            "model_type='wordpiece'.*unigram, bpe, char, word",
        ),
        ({"normalization": "nfd"}, "normalization='nfd'.*nfkc, nmt_nfkc"),
        ({"vocab_size": 4}, "vocab_size=4.*special tokens take 4"),
        ({"character_coverage": 0.5}, r"character_coverage=0\.5.*\[0\.98, 1\]"),
        ({"character_coverage": 1.5}, r"character_coverage=1\.5.*\[0\.98, 1\]"),
    ],
)
def test_an_option_out_of_its_range_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SubwordTokenizer.train(SENTENCES, **options)


def test_one_string_or_path_is_no_corpus():
    with pytest.raises(TypeError, match="'A dog runs', but needs an iterable"):
        train(lines="A dog runs")
    with pytest.raises(TypeError, match="corpus.txt', but needs an iterable"):
        train(lines=pathlib.Path("corpus.txt"))


def test_what_is_no_sentence_is_refused():
    with pytest.raises(TypeError, match="item of type int"):
        train(lines=["A dog", 3])
    with pytest.raises(ValueError, match=r"'dog\\ud800', but half a surrogate"):
        train(lines=["dog\ud800"])


def test_training_without_sentencepiece_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ImportError, match="to train. Run: pip install sentencepiece"):
        train()


def test_running_without_tensorflow_text_says_what_to_install(monkeypatch, letters):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    with pytest.raises(ImportError, match="to run. Run: pip install tensorflow-text"):
        SubwordTokenizer(letters.model_proto)


# Saving, loading, and models from elsewhere.


def test_a_saved_tokenizer_loads_as_the_same(tokenizer, tmp_path):
    path = tmp_path / "a.model"
    tokenizer.save(path)
    loaded = SubwordTokenizer.load(path)
    assert loaded.model_proto == tokenizer.model_proto
    assert loaded.vocab_size == tokenizer.vocab_size
    assert (
        loaded.tokenize(SENTENCES).to_list() == tokenizer.tokenize(SENTENCES).to_list()
    )
    assert os.listdir(tmp_path) == ["a.model"]


def test_a_failed_save_leaves_the_old_file_in_place(letters, tmp_path, monkeypatch):
    path = tmp_path / "a.model"
    path.write_bytes(b"old")

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        letters.save(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.model"]


def test_loading_a_missing_file_names_it(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="none.model, but there is no such file"
    ):
        SubwordTokenizer.load(tmp_path / "none.model")


def test_loading_an_unreadable_file_names_it(tmp_path):
    with pytest.raises(OSError, match=str(tmp_path)):
        SubwordTokenizer.load(tmp_path)


def test_a_file_cut_off_anywhere_is_refused(letters, tmp_path):
    proto = letters.model_proto
    # Short enough for every cut that falls between two pieces, and so parses.
    cuts = [*range(0, 300), *np.linspace(300, len(proto) - 1, 20, dtype=int)]
    for cut in cuts:
        path = tmp_path / "cut.model"
        path.write_bytes(proto[:cut])
        with pytest.raises(ValueError, match=rf"of {cut} bytes.*cut off.*cut\.model"):
            SubwordTokenizer.load(path)


@pytest.mark.parametrize("junk", [b"hello", b"\0" * 100, b"\x0a\0\x12\0\x1a\0", "text"])
def test_bytes_that_are_no_model_are_refused(junk):
    kind = type(junk).__name__
    with pytest.raises(
        ValueError, match=f"got a {kind} of {len(junk)} bytes|pieces are"
    ):
        SubwordTokenizer(junk)


def test_a_model_with_other_special_tokens_is_refused(tmp_path):
    prefix = tmp_path / "other"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_prefix=str(prefix),
        vocab_size=120,
        model_type="bpe",
        minloglevel=2,
    )
    first = r"\['<unk>', '<s>', '</s>'"
    with pytest.raises(ValueError, match=rf"first pieces are {first}.*pad_id=0"):
        SubwordTokenizer.load(f"{prefix}.model")
