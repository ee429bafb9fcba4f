"""A command line as a user types it, in the process that tests it."""

import contextlib
import io
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import types
import warnings

import numpy as np
import pytest

from keras_attention_cli.main import COMMANDS, main, parse
from keras_attention_cli.settings_options import FIELDS, settings_given
from keras_attention_cli.tune import SEARCHED

pytestmark = pytest.mark.tensorflow

MARIAN = pathlib.Path(__file__).parents[1] / "interop" / "marian_fixture"

TINY = (
    "--vocab-size 30 --model-type char --num-layers 1 --d-model 8 --num-heads 2 "
    "--d-ff 12 --batch-tokens 160 --warmup-steps 3 --dtype float32 --averaged 2"
).split()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdef", k=draw.randint(1, 9))) for _ in range(40)]
    (folder / "words").write_text("".join(f"{word}\n" for word in words))
    (folder / "sdrow").write_text("".join(f"{word[::-1]}\n" for word in words))
    (folder / "short").write_text("a\n")
    (folder / "empty").touch()
    return folder


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    """A folder that the command `train` has written, and said nothing meanwhile."""
    folder = tmp_path_factory.mktemp("runs") / "words"
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main([*train(corpus, folder), "--epochs", "2"]) == 0
    assert out.getvalue() == ""
    return folder


def train(corpus, folder):
    pair = ["--source", str(corpus / "words"), "--target", str(corpus / "sdrow")]
    return ["train", *pair, "--out", str(folder), *TINY]


def answers(capsys, *arguments):
    """What a command that succeeds prints to standard output."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def complaint(capsys, *arguments, code=2):
    """The one line in which a command says what it can not use."""
    capsys.readouterr()
    try:
        found = main([str(argument) for argument in arguments])
    except SystemExit as error:  # of the parser
        found = error.code
    out, err = capsys.readouterr()
    assert found == code
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    return lines[0]


def give_input(monkeypatch, text):
    standard_input = io.TextIOWrapper(io.BytesIO(text.encode()))
    monkeypatch.setattr(sys, "stdin", standard_input)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert f"\n  keras-attention {name} " in capsys.readouterr().out


def test_the_help_of_train_lists_every_setting(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    out = capsys.readouterr().out
    for field in FIELDS:
        assert f"--{field.name.replace('_', '-')}" in out


def test_the_help_of_tune_lists_what_is_searched():
    from keras_attention.tuning.search_space import SETTINGS

    assert SEARCHED == tuple(SETTINGS)


def test_help_and_wrong_settings_are_answered_without_keras(tmp_path):
    program = (
        "import sys; from keras_attention_cli.main import main\n"
        "try: code = main(sys.argv[1:])\n"
        "except SystemExit as end: code = end.code\n"
        "loaded = {'keras', 'tensorflow', 'keras_attention'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "sys.exit(code)"
    )
    (tmp_path / "wrong.toml").write_text("[training]\nepoch = 3\n")
    for arguments, code in (
        (["--help"], 0),
        (["train", "--help"], 0),
        (["train", "--out", "x", "--config", str(tmp_path / "wrong.toml")], 2),
        (["evaluate"], 2),
    ):
        command = [sys.executable, "-c", program, *arguments]
        found = subprocess.run(command, capture_output=True, text=True)
        assert found.returncode == code, found.stderr


def test_the_same_command_finds_that_there_is_nothing_left_to_do(run, corpus, capsys):
    state = (run / "state").read_bytes()
    assert main([*train(corpus, run), "--epochs", "2"]) == 0
    assert (run / "state").read_bytes() == state


def test_a_run_is_repeated_to_the_bit_from_its_own_settings(run, tmp_path, capsys):
    import keras_attention as ka

    again = tmp_path / "again"
    answers(capsys, "train", "--config", run / "settings.toml", "--out", again)
    assert (again / "log.csv").read_text() == (run / "log.csv").read_text()
    one, other = (ka.Translator.load(folder).model for folder in (run, again))
    assert all(map(np.array_equal, one.get_weights(), other.get_weights()))


def test_lines_are_answered_in_order(run, corpus, capsys, monkeypatch):
    whole = answers(capsys, "translate", run, corpus / "words")
    assert len(whole.splitlines()) == 40
    parts = answers(capsys, "translate", run, "--buffer", 7, corpus / "words")
    assert parts == whole
    give_input(monkeypatch, (corpus / "words").read_text())
    assert answers(capsys, "translate", run) == whole


def test_an_empty_line_is_answered_by_an_empty_line(run, capsys, monkeypatch):
    give_input(monkeypatch, "abc\n\nabc\n")
    first, empty, last = answers(capsys, "translate", run).splitlines()
    assert (first, empty) == (last, "")
    give_input(monkeypatch, "\n")
    assert answers(capsys, "translate", run, "--scores") == "-inf\t\n"


def test_no_input_has_no_answer(run, capsys, monkeypatch):
    give_input(monkeypatch, "")
    assert answers(capsys, "translate", run) == ""


def test_several_translations_come_with_line_and_score(run, corpus, capsys):
    out = answers(capsys, "translate", run, corpus / "words", "--n-best", 2)
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows[:4]] == ["1", "1", "2", "2"]
    assert float(rows[0][1]) >= float(rows[1][1])
    best = answers(capsys, "translate", run, corpus / "words", "--scores")
    assert best.splitlines()[0].split("\t") == rows[0][1:]


def test_the_search_can_be_another(run, corpus, capsys):
    import keras_attention as ka

    words = (corpus / "words").read_text().split()
    greedy = ka.Translator.load(run, beam_size=1)(words)
    out = answers(capsys, "translate", run, corpus / "words", "--beam-size", 1)
    assert out.splitlines() == greedy


def test_figures_come_with_their_signatures(run, corpus, tmp_path, capsys):
    pair = ["--source", corpus / "words", "--target", corpus / "sdrow"]
    out = answers(capsys, "evaluate", run, *pair, "--output", tmp_path / "answers")
    assert [line.split()[0] for line in out.splitlines()] == ["BLEU", "chrF", "TER"]
    assert out.count("version:") == 3
    pair = ["--translations", tmp_path / "answers", "--target", corpus / "sdrow"]
    assert answers(capsys, "evaluate", *pair) == out
    perfect = ["--translations", corpus / "sdrow", "--target", corpus / "sdrow"]
    assert "chrF  100.00" in answers(capsys, "evaluate", *perfect)


def test_an_average_is_a_model_of_its_own(run, tmp_path, capsys):
    answers(capsys, "average", run, "--number", 1, "--out", tmp_path / "mean")
    assert json.loads(answers(capsys, "info", tmp_path / "mean", "--json"))


def test_an_export_answers_as_the_model_does(run, corpus, tmp_path, capsys):
    import tensorflow as tf

    out = tmp_path / "served" / "1"
    answers(capsys, "export", run, out)
    served = tf.saved_model.load(out).signatures["serving_default"]
    found = served(text=tf.constant(["abc"]))["text"][0].numpy().decode()
    (tmp_path / "abc").write_text("abc\n")
    assert answers(capsys, "translate", run, tmp_path / "abc") == f"{found}\n"


def test_a_model_of_marians_is_as_good_as_one_of_ours(tmp_path, capsys):
    (tmp_path / "ko").write_text("개가 달린다.\n")
    expected = json.loads((MARIAN / "expected.json").read_text())
    place = expected["texts"].index("개가 달린다.")
    found = answers(capsys, "translate", MARIAN, tmp_path / "ko")
    assert found == f"{expected['searches'][0]['answers'][place]}\n"
    assert "silu" in answers(capsys, "info", MARIAN)


@pytest.mark.filterwarnings("default:save_marian.*has no words for")
def test_a_model_is_given_to_marians_friends_and_taken_back(run, tmp_path, capsys):
    answers(capsys, "export", run, tmp_path / "out", "--format", "marian")
    assert (tmp_path / "out" / "model.safetensors").exists()
    there, here = (
        json.loads(answers(capsys, "info", folder, "--json"))
        for folder in (tmp_path / "out", run)
    )
    assert there["model"]["num_layers"] == here["model"]["num_layers"]
    assert there["vocabulary"]["source"]["size"] == here["vocabulary"]["source"]["size"]


def test_a_model_is_trained_on_by_its_folder_alone(run, corpus, tmp_path, capsys):
    pair = ["--source", corpus / "words", "--target", corpus / "sdrow"]
    more = ["--epochs", 1, "--batch-tokens", 160, "--warmup-steps", 2]
    out = tmp_path / "more"
    answers(capsys, "train", "--pretrained", run, *pair, *more, "--out", out)
    info = json.loads(answers(capsys, "info", out, "--json"))
    assert info["model"]["d_model"] == 8
    assert "d_model" not in (out / "settings.toml").read_text()
    assert f'pretrained = "{run}"' in (out / "settings.toml").read_text()


def test_a_model_is_described_for_people_and_for_programs(run, capsys):
    out = answers(capsys, "info", run)
    assert "d_model" in out and "encoder_layer_0" in out and "PAD" in out
    assert json.loads(answers(capsys, "info", run, "--json"))["model"]["d_model"] == 8


def test_what_the_model_looks_at_is_drawn(run, tmp_path, capsys):
    for name, options in {
        "curves.png": [],
        "cross.svg": ["--text", "abc"],
        "encoder.png": ["--text", "abc", "--kind", "encoder", "--head", "all"],
        "page.html": ["--text", "abc"],
    }.items():
        assert answers(capsys, "plot", run, tmp_path / name, *options) == ""
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "Cross attention" in (tmp_path / "cross.svg").read_text()
    assert '"heads":2' in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            "train --out {new} --source {corpus}/nowhere",
            "nowhere, but there is no such",
        ),
        ("train --out {new} --source {corpus}/empty", "no tab|got 0 lines"),
        (
            "train --out {new} --source {words} --target {corpus}/short",
            "40 lines.*1 in",
        ),
        ("train --out {new} --source {words}", "a tab and its translation"),
        ("train --out {new}", "got no source"),
        ("train --out {new} --source {words} --epochs 0", "got epochs=0"),
        ("train --out {new} --source {words} --epochs x", "invalid int value"),
        (
            "train --out {new} --source {words} --config {corpus}/nowhere",
            "no such file",
        ),
        (
            "train --out {corpus} --source {words} --target {words}",
            "holds other things",
        ),
        ("train --out {run} --d-model 16", "got d_model=16, but .* has 8"),
        (
            "train --out {new} --source {words} --target {words} --num-heads 3 "
            "--vocab-size 30 --model-type char",
            "heads=3",
        ),
        (
            "train --out {new} --source {words} --target {words} --pretrained {corpus}",
            "has no translator.json",
        ),
        (
            "train --out {new} --source {words} --pretrained {run} --d-model 16",
            "keeps its own d_model",
        ),
        ("translate {new}", "new, but there is no such folder"),
        ("translate {corpus}", "has no translator.json"),
        ("translate {run} {corpus}/nowhere", "nowhere, but there is no such"),
        ("translate {run} {corpus}/empty", "got 0 lines"),
        ("translate {run} {words} --beam-size 0", "beam_size=0"),
        ("translate {run} {words} --buffer 0", "buffer=0"),
        ("translate {run} {words} --n-best 0", "n_best=0"),
        ("translate {run} a --scores b --bogus", "unrecognized arguments: b --bogus"),
        ("evaluate {new} --source {words} --target {words}", "no such folder"),
        ("evaluate {run} --source {words} --target {corpus}/short", "40 lines.*1 in"),
        ("evaluate {run}", "neither a MODEL with --source"),
        ("evaluate --translations {words} --target {corpus}/empty", "got 0 lines"),
        ("evaluate --translations {words} --target {words} --tokenize x", "'x'"),
        ("average {corpus}", "no settings.toml"),
        ("average {run} --number 3", "only 2 epochs"),
        ("average {run} --number 0", "error: got number=0"),
        ("average {run} --out {corpus}", "holds other things"),
        ("export {corpus} {new}", "has no translator.json"),
        ("export {run} {corpus}", "holds other things"),
        ("export {run} {new} --warm-up {corpus}/empty", "got 0 lines"),
        ("export {run} {new} --batch-size 0", "batch_size=0"),
        ("info {new}", "no such folder"),
        ("export {run} {new} --format marian --dtype int8", "marian with --dtype"),
        ("dance", "invalid choice: 'dance'"),
        ("info {run} --jsn", "info: error: .* --jsn; did you mean --json"),
        ("info {run} {run}", "unrecognized arguments: "),
        ("plot {run} {new}.html", "ending.*can be .*png"),
        ("plot {corpus} {new}.png", "log.csv, but there is no such file"),
        ("plot {new} {new}.png --text a", "has no translator.json"),
        ("plot {run} {new}.png --text a --layer 1", "layer=1.*model has 1"),
        ("plot {run} {new}.png --text a --head first", "invalid"),
        ("tune --out {new} --trials 2", "got no source"),
        ("tune --out {corpus} --trials 2 --source {words}", "holds other things"),
        ("tune --out {new} --trials 2 --source {corpus}/empty", "got 0 lines"),
        (
            "tune --out {new} --trials 0 --source {words} --target {words} "
            "--vocab-size 30 --model-type char",
            "max_trials=0",
        ),
        ("tune --out {new} --trials 2 --source {words} --range d_ff", "NAME=VALUES"),
        ("tune --out {new} --trials 2 --source {words} --range d_ff=a", "'a' is no"),
        (
            "tune --out {new} --trials 2 --source {words} --range d_modle=8",
            "'d_modle' is nothing to search for: give one of num_layers",
        ),
        (
            "tune --out {new} --trials 2 --source {words} --range max_trials=3",
            "'max_trials' is nothing to search for",
        ),
    ],
)
def test_what_can_not_be_used_is_refused_in_one_line(
    arguments, message, run, corpus, tmp_path, capsys
):
    before = sorted(corpus.iterdir()), sorted(run.iterdir())
    places = {"run": run, "corpus": corpus, "words": corpus / "words"}
    words = arguments.format(new=tmp_path / "new", **places).split()
    line = complaint(capsys, *words)
    assert re.search(message, line), line
    assert not (tmp_path / "new").exists()
    assert (sorted(corpus.iterdir()), sorted(run.iterdir())) == before


@pytest.mark.parametrize("file", ["translator.json", "settings.toml"])
def test_a_model_of_another_version_is_refused(file, run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "run")
    if file == "translator.json":
        settings = json.loads((run / file).read_text())
        (tmp_path / "run" / file).write_text(json.dumps({**settings, "format": 99}))
        assert "in format 99" in complaint(capsys, "info", tmp_path / "run")
    else:
        (tmp_path / "run" / file).write_text("[training]\nepohcs = 9\n")
        line = complaint(capsys, "train", "--out", tmp_path / "run")
        assert "Did you mean 'epochs' under [training]?" in line


def test_the_code_is_shown_where_it_is_asked_for(tmp_path, capsys):
    assert main(["info", str(tmp_path), "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_what_nobody_foresaw_is_another_exit_code(monkeypatch, capsys):
    def fail(options, answers):
        raise RuntimeError("out of\nluck")

    monkeypatch.setitem(
        COMMANDS, "info", types.SimpleNamespace(**vars(COMMANDS["info"]))
    )
    COMMANDS["info"].run = fail
    line = complaint(capsys, "info", "x", code=1)
    assert line == "keras-attention info: error: RuntimeError: out of luck"


def test_a_warning_is_one_line(monkeypatch, capsys):
    def warn(options, answers):
        warnings.simplefilter("always")
        warnings.warn("mind\nthe gap", stacklevel=1)

    monkeypatch.setitem(
        COMMANDS, "info", types.SimpleNamespace(**vars(COMMANDS["info"]))
    )
    COMMANDS["info"].run = warn
    assert main(["info", "x"]) == 0
    assert capsys.readouterr().err == "keras-attention info: warning: mind the gap\n"


def heed_ctrl_c():
    """In the background, a shell has its programs ignore it, and theirs after them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_a_state_and_says_how_to_go_on(corpus, tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "keras_attention_cli", *train(corpus, folder)]
    with subprocess.Popen(
        [*command, "--epochs", "5000"],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    ) as process:
        try:
            for _ in range(12000):
                if (folder / "checkpoints").exists() or process.poll() is not None:
                    break
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 130
    assert (folder / "state").exists()
    last = err.splitlines()[-1]
    assert last.endswith("To go on: the same command.")
    assert "Traceback" not in err


def test_answers_are_utf_8_whatever_the_terminal_has(monkeypatch):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="latin-1"))
    monkeypatch.setitem(
        COMMANDS, "info", types.SimpleNamespace(**vars(COMMANDS["info"]))
    )
    COMMANDS["info"].run = lambda options, answers: print("개", file=answers)
    assert main(["info", "x"]) == 0
    assert printed.getvalue().decode("utf-8") == "개\n"


def test_the_epochs_of_a_trial_are_not_those_of_the_settings(tmp_path):
    config = tmp_path / "settings.toml"
    config.write_text("[training]\nepochs = 12\n")
    search = ["tune", "--out", "x", "--trials", "1", "--epochs", "3"]
    options = parse([*search, "--config", str(config)])
    assert options.trial_epochs == 3
    assert settings_given(options, options.config)["epochs"] == 12


@pytest.mark.parametrize("files", [["-"], ["a", "-", "b"]])
def test_files_may_come_behind_options(files):
    assert parse(["translate", "m", "--scores", *files]).files == files


def test_a_reader_that_has_enough_ends_it_quietly(run, corpus):
    text = (corpus / "words").read_text() * 20
    command = f"{sys.executable} -m keras_attention_cli translate {run} --buffer 1"
    found = subprocess.run(
        ["bash", "-c", f"{command} | head -1; exit ${{PIPESTATUS[0]}}"],
        input=text,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 141
    assert len(found.stdout.splitlines()) == 1
    assert "error" not in found.stderr.lower()
