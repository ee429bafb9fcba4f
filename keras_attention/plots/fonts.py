"""Words -> the fonts that draw all their characters, Hangul and right-to-left too."""

import contextlib
import warnings

# A font that claims all characters, and draws a box for each.
LAST_RESORT = "Last Resort"


def fonts_for(owner, words):
    """Name matplotlib's own font, and behind it installed ones for what that lacks.

    Args:
        owner: Who draws, for the warning.
        words: What is to be drawn, as str.

    Returns:
        Names of font families for matplotlib's `fontfamily`: a character is drawn in
        the first of them that has it. If no installed font has some character, a
        warning says which to install.

    Example:

    >>> fonts_for("plot", ["dog"])[0]
    'DejaVu Sans'
    """
    from matplotlib import font_manager

    own = font_manager.findfont(font_manager.FontProperties())
    lacking = {ord(character) for word in words for character in word}
    lacking -= characters_of(own)
    families = [font_manager.get_font(own).family_name]
    for find in (known_font_with_most, new_font_with_most):
        while lacking and (font := find(lacking)):
            families.append(font.name)
            lacking -= characters_of(font.fname)
    if lacking:
        warnings.warn(
            f"{owner}: got {describe(lacking)} to draw, but no installed font has "
            f"that, so boxes stand for it. Install one that has, such as Noto Sans CJK "
            f"(Debian and Ubuntu: apt-get install fonts-noto-cjk) or for Hangul "
            f"NanumGothic (apt-get install fonts-nanum).",
            stacklevel=3,
        )
    return families


def known_font_with_most(codes):
    """The font of matplotlib's list that has most of some characters; None if none."""
    from matplotlib import font_manager

    best, most = None, 0
    for font in font_manager.fontManager.ttflist:
        if LAST_RESORT in font.name:
            continue
        number = len(codes & characters_of(font.fname))
        if number > most:
            best, most = font, number
        if number == len(codes):
            break
    return best


def new_font_with_most(codes):
    """The same among fonts installed after matplotlib had written its list."""
    from matplotlib import font_manager

    known = {font.fname for font in font_manager.fontManager.ttflist}
    for path in set(font_manager.findSystemFonts()) - known:
        # Some are no outlines, such as those of emoji, and matplotlib takes none.
        with contextlib.suppress(OSError, RuntimeError):
            font_manager.fontManager.addfont(path)
    return known_font_with_most(codes)


def characters_of(font_path):
    """The code points that a font can draw; none if it has gone since it was listed."""
    from matplotlib import font_manager

    try:
        return font_manager.get_font(font_path).get_charmap().keys()
    except FileNotFoundError:
        return set()


def describe(codes):
    """The first of some characters, as a reader sees and as Unicode names them."""
    return ", ".join(f"{chr(code)!r} (U+{code:04X})" for code in sorted(codes)[:3])
