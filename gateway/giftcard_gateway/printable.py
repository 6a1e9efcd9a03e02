"""Texts of others as people read them: what would be obeyed and not shown is written out."""

from __future__ import annotations


def visible(text: str, *, keeps: str = "") -> str:
    """Return a text with every character that would be obeyed and not shown written as its escape.

    So are control characters, such as the ESC that begins a terminal's commands, line ends, and the marks
    that turn the order of what follows around. What `keeps` names stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keeps else char.encode("unicode_escape").decode()
        for char in text
    )
