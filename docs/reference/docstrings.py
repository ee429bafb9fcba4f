"""How the sections of our docstrings are shown in the reference."""

import re
import textwrap

import griffe

# A section goes on to the next one, or to the end.
SECTION = r"^{}:\n(.*?)(?=^[A-Z][a-z ]+:$|\Z)"
EXAMPLE = re.compile(SECTION.format("Example"), re.DOTALL | re.MULTILINE)
CALL_ARGUMENTS = re.compile(SECTION.format("Call arguments"), re.DOTALL | re.MULTILINE)
ARGUMENT = re.compile(r"^([\w, *]+): ", re.MULTILINE)


class OurSections(griffe.Extension):
    """Show an example as code, and call arguments as a list."""

    def on_object(self, *, obj, loader, **kwargs):
        if obj.docstring:
            text = EXAMPLE.sub(as_code, obj.docstring.value)
            obj.docstring.value = CALL_ARGUMENTS.sub(as_list, text)


def as_code(match):
    code = textwrap.dedent(match[1]).strip()
    language = "pycon" if code.startswith(">>>") else "python"
    return f"**Example**\n\n```{language}\n{code}\n```\n\n"


def as_list(match):
    arguments = ARGUMENT.sub(r"* `\1`: ", textwrap.dedent(match[1]).strip())
    return f"**Call arguments**\n\n{arguments}\n\n"
