"""gensim, imported on use: its training of word vectors, and its table of them."""

from keras_attention.embeddings.sentences import require_sentences, require_words
from keras_attention.layers.requirements import require_positive


def import_gensim(owner):
    """Import gensim's models, or say which package to install."""
    try:
        import gensim.models
    except ImportError as error:
        raise ImportError(
            f"{owner}: got no gensim, but it holds the word vectors. "
            f"Run: pip install 'keras-attention-transformer[vectors]'"
        ) from error
    return gensim.models


def train_by_gensim(owner, class_name, sentences, d_model, skip_gram, **options):
    """Sentences of words -> what a model of `gensim.models` learns of them."""
    models = import_gensim(owner)
    counted = {name: options[name] for name in ("window", "min_count", "epochs")}
    require_positive(owner, d_model=d_model, **counted)
    require_sentences(owner, sentences)
    make = getattr(models, class_name)
    model = make(vector_size=d_model, sg=int(skip_gram), **options)
    model.build_vocab(sentences)
    require_words(owner, model.wv.index_to_key, model.min_count)
    model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs)
    return model.wv


def keyed_vectors(owner, words, matrix):
    """Words, and the vector of each as a row of (V, D) -> gensim's table of both."""
    vectors = import_gensim(owner).KeyedVectors(matrix.shape[1])
    vectors.add_vectors(words, matrix)
    return vectors
