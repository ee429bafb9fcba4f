"""Marian models of random weights, made by transformers; and what that says of them.

Run as a program, because PyTorch and TensorFlow do not always get on in one process: it
takes a list of jobs as JSON.
"""

import io
import json
import pathlib
import random
import sys

import sentencepiece

KOREAN = [
    "개가 달린다.",
    "고양이가 잔다.",
    "아이가 공을 던진다.",
    "남자가 기타를 친다.",
]
ENGLISH = [
    "A dog runs.",
    "A cat sleeps.",
    "A child throws a ball.",
    "He plays guitar.",
]
TEXTS = [
    "개가 달린다.",
    "고양이가 공을 던진다. 남자가 잔다.",
    "아이",
    "남자가 기타를 친다. 개가 고양이를 본다!",
    "A dog 잔다.",
    "  공이   달린다 ",
]

# Standard deviations of the layers' matrices, and of the embeddings and norms: so large
# that answers differ.
LAYERS, OTHERS = 0.9, 0.3

# Without repetition, as a model of random weights says one word for ever.
SEARCH = {"num_beams": 4, "max_length": 20, "no_repeat_ngram_size": 2}

SIZES = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "activation_function": "swish",
    "scale_embedding": True,
    "max_position_embeddings": 64,
}


def train_pieces(lines, vocab_size):
    """A sentencepiece model with special pieces of its own, as in Marian's folders."""
    writer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines * 3),
        model_writer=writer,
        vocab_size=vocab_size,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    return writer.getvalue()


def list_pieces(model_proto):
    model = sentencepiece.SentencePieceProcessor(model_proto=model_proto)
    return {model.id_to_piece(id) for id in range(3, model.get_piece_size())}


def write_text_files(folder, separate=False):
    """source.spm, target.spm and vocab.json; returns the size of each vocabulary."""
    protos = [train_pieces(KOREAN, 60), train_pieces(ENGLISH, 50)]
    for name, proto in zip(("source", "target"), protos):
        (folder / f"{name}.spm").write_bytes(proto)
    pieces = list(map(list_pieces, protos))
    if not separate:
        return [write_vocabulary(folder / "vocab.json", pieces[0] | pieces[1])] * 2
    # Both begin with <pad>, so that has one id: the smaller one is filled up.
    size = max(map(len, pieces))
    fillers = [{f"<{i}>" for i in range(size - len(one))} for one in pieces]
    names = "vocab.json", "target_vocab.json"
    settings = {"separate_vocabs": True, "tokenizer_class": "MarianTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return [
        write_vocabulary(folder / name, one | more)
        for name, one, more in zip(names, pieces, fillers)
    ]


def write_vocabulary(path, pieces):
    pieces = ["</s>", "<unk>", *sorted(pieces), ">>eng<<", "<pad>"]
    ids = {piece: id for id, piece in enumerate(pieces)}
    path.write_text(json.dumps(ids, ensure_ascii=False, indent=0), encoding="utf-8")
    return len(pieces)


def make_folder(
    folder, seed=0, separate=False, end_bias=4.0, generation=None, **config
):
    """Write a model of random weights as transformers does; returns that model.

    The weights are larger than a new model's, so that hypotheses differ; the larger
    `end_bias`, the shorter they are.
    """
    import torch
    from transformers import GenerationConfig, MarianConfig, MarianMTModel

    folder.mkdir(parents=True, exist_ok=True)
    sizes = write_text_files(folder, separate)
    pad = sizes[0] - 1
    ids = {"pad_token_id": pad, "decoder_start_token_id": pad, "eos_token_id": 0}
    torch.manual_seed(seed)
    model = MarianMTModel(
        MarianConfig(
            vocab_size=sizes[0],
            decoder_vocab_size=sizes[1],
            share_encoder_decoder_embeddings=not separate,
            **{**SIZES, **ids, **config},
        )
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "_proj" in name or "fc" in name:
                parameter += LAYERS * torch.randn_like(parameter)
            elif "embed_positions" not in name:
                parameter += OTHERS * torch.randn_like(parameter)
        # As in a converted model: a vector of zeros begins each translation.
        for matrix in {model.get_input_embeddings(), model.get_output_embeddings()}:
            matrix.weight[pad] = 0
        model.final_logits_bias.copy_(torch.randn_like(model.final_logits_bias))
        model.final_logits_bias[0, 0] = end_bias
    model.generation_config = GenerationConfig(
        **ids,
        bad_words_ids=[[pad]],
        forced_eos_token_id=0,
        **{**SEARCH, **(generation or {})},
    )
    model.eval()
    model.save_pretrained(folder)
    return model


def answers_of(folder, texts, **options):
    """What transformers says of each text; one at a time, so without any padding."""
    import torch
    from transformers import MarianMTModel, MarianTokenizer

    tokenizer = MarianTokenizer.from_pretrained(folder)
    model = MarianMTModel.from_pretrained(folder)
    answers = []
    with torch.no_grad():
        for text in texts:
            ids = model.generate(**tokenizer([text], return_tensors="pt"), **options)
            answers += tokenizer.batch_decode(ids, skip_special_tokens=True)
    return answers


def logits_of(folder, texts, seed=0):
    """Source ids, target ids and logits of transformers, in Marian's own ids."""
    import torch
    from transformers import MarianMTModel, MarianTokenizer

    model = MarianMTModel.from_pretrained(folder)
    batch = MarianTokenizer.from_pretrained(folder)(
        texts, return_tensors="pt", padding=True
    )
    pad, size = model.config.pad_token_id, model.config.decoder_vocab_size
    torch.manual_seed(seed)
    target_ids = torch.randint(1, size - 1, (len(texts), 7))
    target_ids[:, 0] = pad
    with torch.no_grad():
        logits = model(**batch, decoder_input_ids=target_ids).logits
    arrays = batch["input_ids"], target_ids, logits.double().numpy().round(6)
    names = "source_ids", "target_ids", "logits"
    return {name: array.tolist() for name, array in zip(names, arrays)}


def describe(folder, texts, searches):
    """All that the tests compare, as JSON can hold it."""
    return {
        "texts": texts,
        **logits_of(folder, texts),
        "searches": [
            {"options": options, "answers": answers_of(folder, texts, **options)}
            for options in searches
        ],
    }


def answers_of_ctranslate2(folder, texts):
    """What CTranslate2 says of each text, by its most likely tokens."""
    import ctranslate2
    from transformers import MarianTokenizer

    settings = json.loads((folder / "generation_config.json").read_text())
    converted = str(folder / "ctranslate2")
    ctranslate2.converters.TransformersConverter(str(folder)).convert(converted)
    tokenizer = MarianTokenizer.from_pretrained(folder)
    pieces = [tokenizer.convert_ids_to_tokens(tokenizer.encode(text)) for text in texts]
    found = ctranslate2.Translator(converted).translate_batch(
        pieces,
        beam_size=1,
        disable_unk=True,
        no_repeat_ngram_size=settings["no_repeat_ngram_size"],
        max_decoding_length=settings["max_length"] - 2,  # without the first and the END
    )
    ids = [tokenizer.convert_tokens_to_ids(one.hypotheses[0]) for one in found]
    return tokenizer.batch_decode(ids, skip_special_tokens=True)


def random_texts(count, seed=0):
    words = " ".join(KOREAN + ENGLISH).split()
    generator = random.Random(seed)
    return [
        " ".join(generator.choices(words, k=generator.randint(1, 8)))
        for _ in range(count)
    ]


def main(jobs):
    """Do each job, `{"folder": ..., "make": ..., "texts": ..., "searches": ...}`.

    With "ctranslate2" that is asked instead of transformers. What is found stands in
    the folder's expected.json afterwards.
    """
    for job in jobs:
        folder = pathlib.Path(job["folder"])
        if "make" in job:
            make_folder(folder, **job["make"])
        if job.get("ctranslate2"):
            expected = {"answers": answers_of_ctranslate2(folder, job["texts"])}
        else:
            expected = describe(folder, job["texts"], job["searches"])
        text = json.dumps(expected, ensure_ascii=False)
        (folder / "expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(json.load(sys.stdin))
