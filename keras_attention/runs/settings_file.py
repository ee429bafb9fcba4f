"""Settings <-> a TOML file, a table for each section."""

# Nothing but the standard library is imported at the top, as in settings.py.
import difflib
import pathlib
import tomllib


def read_settings(path, fields):
    """Read what a settings file says.

    Args:
        path: A TOML file with tables such as `[model]`. It need not say all.
        fields: `dataclasses.fields` of `TrainingSettings`.

    Returns:
        {name of a setting: value}, unchecked but for the names.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no TOML, or names a table or a setting that there is not.
    """
    path = pathlib.Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"read_settings: got {path}, but there is no such file. Check the path."
        ) from error
    except ValueError as error:  # what tomllib and a wrong encoding raise
        raise ValueError(
            f"read_settings: got {path}, but it can not be read as TOML ({error}). "
            f"Mend it there."
        ) from error
    sections = {field.name: field.metadata["section"] for field in fields}
    found = {}
    for section, table in tables.items():
        require_section(path, section, table, sections)
        for name, value in table.items():
            require_name(path, section, name, sections)
            found[name] = value
    return found


def write_settings(path, settings, fields):
    """Write settings as `read_settings` reads them; what is None is left out.

    Raises:
        ImportError: tomli-w is not installed.
    """
    tables = {}
    for field in fields:
        value = getattr(settings, field.name)
        if value is not None:
            tables.setdefault(field.metadata["section"], {})[field.name] = value
    pathlib.Path(path).write_text(tomli_w().dumps(tables), encoding="utf-8")


def tomli_w():
    """The writer of TOML, which Python itself only reads."""
    try:
        import tomli_w
    except ImportError as error:
        raise ImportError(
            "write_settings needs tomli-w. Install it: pip install "
            "'keras-attention-transformer[train]'"
        ) from error
    return tomli_w


def require_section(path, section, table, sections):
    """Raise ValueError unless a table is one of settings."""
    if isinstance(table, dict) and section in sections.values():
        return
    if section in sections:
        advice = f"Put it under [{sections[section]}]."
    else:
        known = sorted({*sections.values(), *sections})
        advice = nearest(section, known, sections)
    tables = ", ".join(f"[{name}]" for name in dict.fromkeys(sections.values()))
    raise ValueError(
        f"read_settings: got {section!r} at the top of {path}, but there are only the "
        f"tables {tables}. {advice}"
    )


def require_name(path, section, name, sections):
    """Raise ValueError unless there is such a setting in such a table."""
    if sections.get(name) == section:
        return
    if name in sections:
        advice = f"Put it under [{sections[name]}]."
    else:
        advice = nearest(name, list(sections), sections)
    raise ValueError(
        f"read_settings: got the setting {name!r} under [{section}] of {path}, but "
        f"there is none of that name there. {advice}"
    )


def nearest(name, known, sections):
    """Say which of the names there are was most likely meant."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not close:
        return f"Known are {', '.join(known)}."
    meant = close[0]
    where = f" under [{sections[meant]}]" if meant in sections else ""
    return f"Did you mean {meant!r}{where}?"
