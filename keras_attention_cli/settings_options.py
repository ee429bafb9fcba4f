"""The settings of a training <-> options of a command line."""

import argparse
import dataclasses
import importlib.util
import pathlib
import sys


def import_alone(name):
    """Import a module of the package without the package, which takes seconds.

    Args:
        name: Of the module, such as "keras_attention.runs.settings", which imports
            nothing but the standard library.
    """
    package, *parts = name.split(".")
    folder = importlib.util.find_spec(package).submodule_search_locations[0]
    alone = f"_{name.replace('.', '_')}_alone"
    if alone not in sys.modules:
        path = pathlib.Path(folder, *parts).with_suffix(".py")
        spec = importlib.util.spec_from_file_location(alone, path)
        module = sys.modules[alone] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[alone]


TrainingSettings = import_alone("keras_attention.runs.settings").TrainingSettings
FIELDS = dataclasses.fields(TrainingSettings)


def add_settings(parser, sections, names=None):
    """Give a parser an option for each setting of some sections."""
    for section in sections:
        group = parser.add_argument_group(f"settings of [{section}]")
        for field in FIELDS:
            if field.metadata["section"] == section:
                add_setting(group, field)


def add_setting(group, field):
    """An option for a setting; unset, it is not among the options at all."""
    flag = f"--{field.name.replace('_', '-')}"
    kind = getattr(field.type, "__args__", (field.type,))[0]
    help_text = field.metadata["help"].replace("%", "%%")
    common = {"dest": field.name, "default": argparse.SUPPRESS}
    help_text += default_of(field)
    if kind is bool:
        yes_or_no = argparse.BooleanOptionalAction
        group.add_argument(flag, action=yes_or_no, help=help_text, **common)
        return
    choices = field.metadata["choices"]
    metavar = None if choices else {int: "N", float: "X", str: "PATH"}[kind]
    group.add_argument(
        flag, type=kind, choices=choices, metavar=metavar, help=help_text, **common
    )


def default_of(field):
    """What a help text says of the value where nothing is said."""
    new, pretrained = field.metadata["new"], field.metadata["pretrained"]
    default = field.default if new is None else new
    if default in (None, ""):
        return ""
    if isinstance(default, bool):
        default = "yes" if default else "no"
    of_pretrained = "" if pretrained is None else f"; of a pretrained one {pretrained}"
    return f" (default: {default}{of_pretrained})"


def settings_given(options, *files):
    """The settings said by files, and by options where these say otherwise.

    Args:
        options: What the parser returned.
        *files: TOML files, a later one before an earlier one; None for no file.

    Returns:
        {name: value}, checked but for those that are missing.
    """
    reader = import_alone("keras_attention.runs.settings_file")
    values = {}
    for path in files:
        if path is not None:
            values.update(reader.read_settings(path, FIELDS))
    names = {field.name for field in FIELDS}
    return values | {k: v for k, v in vars(options).items() if k in names}
