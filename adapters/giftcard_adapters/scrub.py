"""Finds card data in texts and takes it out (rule 16), however it is spelled.

A number is found through every separator that people put into one (blanks, dashes, dots, slashes,
commas, invisible characters), through tags and entities of HTML, and in the digits of every script. Times,
UUIDs, amounts and IPv4 addresses are left as they are. For short texts and log lines, not for bodies.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from html import unescape
from urllib.parse import unquote

from giftcard_adapters.values.secret import Secret

MASK = "***"
"""What stands in a text where card data was."""

LONGEST = 12
"""Digits of the shortest run that is taken for a card number in any text."""

_MOST = 200
"""Characters; longer than every documented message. The rest, such as an HTML page, is cut."""

_SHORTEST = 8
"""The same in a provider's text, where no clocks and sizes stand."""

_KEY = 8
"""Characters of the shortest secret that is looked for inside a longer word; others must stand alone."""

_ENCODED = 3
"""How many times over a text may be percent-encoded, or written as HTML, and still be read."""

_TAG = r"<[^<>]{1,80}>"
_ENTITY = r"&(?:[A-Za-z]{2,8}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"

_JOIN = (
    rf"(?:{_TAG}|{_ENTITY}|"
    r"[\s.,:;_/\\|+'`\u2019\u00b4\u00b7\u2022~()\[\]\-\u00ad\u034f\u058a\u05be\u061c\u066b\u066c\u1680\u180e"
    r"\u200b-\u200f\u2010-\u2015\u2027-\u202f\u2043\u2044\u2060-\u2064\u2212\u30fb\ufe58\ufe63\ufeff\uff0d\uff0e\uff0f])"
)
"""What may stand between two digits of one number: a character, or a tag or an entity of HTML."""

_UUID = r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
_TIME = r"[0-2][0-9]:[0-5][0-9](?::[0-6][0-9](?:[.,][0-9]{1,9})?)?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_KEPT = (
    rf"[0-9]{{4}}-[01][0-9]-[0-3][0-9](?:[T ]{_TIME}(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?",
    _TIME,
    r"(?:[0-9]{1,8}|[0-9]{1,3}(?:[ ,.'\u00a0\u202f][0-9]{3}){1,2})[.,][0-9]{1,3}",
    rf"(?:ipv4:)?(?!(?:[0-9]\.){{3}}[0-9]\b)(?:{_OCTET}\.){{3}}{_OCTET}(?::[0-9]{{1,5}})?",
)
"""Dates and times, times of day, amounts below a milliard, IPv4 addresses with a port.

Four single digits are no address: so a PIN is spelled with dots.
"""


_FOLDED = {code: chr(code).lower() if chr(code).isalnum() else None for code in range(128)}
"""What `folded` makes of each ASCII character."""

_BETWEEN_WORDS = re.compile(r"[\W_]+")
_TAGS = re.compile(_TAG)
_PIN = r"(?:pin|passcode|password|pwd?)"
_CALLED_PIN = re.compile(
    rf"(?<![^\W_]){_PIN}(?:[\W_]{{0,3}}(?:code|no|nr|number|is)(?![^\W\d_]))?[\W_]{{0,3}}(?P<after>\d[\d\s.,:/-]*)"
    rf"|(?<!\w)(?P<before>\d+){_PIN}(?!\w)",
    re.IGNORECASE,
)
"""Digits that a text itself calls a PIN, so that they are no time, date or amount."""


@lru_cache
def _runs(least: int) -> re.Pattern[str]:
    kept = rf"{_UUID}|(?<!\w)(?<!\d[.,])(?:{'|'.join(_KEPT)})(?!\w)(?!{_JOIN}{{1,3}}\d)"
    return re.compile(rf"(?P<kept>{kept})|\d(?:{_JOIN}{{0,3}}\d){{{least - 1},}}")


def mask(text: str, least: int = LONGEST) -> str:
    """Return `text` without any run of `least` digits or more."""
    return _runs(least).sub(lambda found: found["kept"] or MASK, text)


def scrub(text: str, *secrets: Secret | None) -> str:
    """Return `text` without long runs of digits or any of the `secrets`, at most 200 characters.

    Pass a PIN as a secret, because it is too short to be recognised as one.
    """
    return mask(without(text, *secrets), _SHORTEST)[:_MOST]


def without(text: str, *secrets: Secret | None) -> str:
    """Return `text` with every spelling of the `secrets` masked."""
    for secret in secrets:
        if secret is not None and (plain := secret.reveal().strip()):
            text = text.replace(plain, MASK)
            if holds(text, secret):
                text = _without_spelled(text, folded(plain))
    return text


def holds(text: str, secret: Secret) -> bool:
    """Tell whether `text` has the secret in it, in any spelling a person would still read.

    What is percent-encoded or HTML is read as what it stands for, too. A secret of fewer than eight
    characters, such as a PIN, must stand alone and outside of times, ids and amounts, unless the text calls
    it a PIN: its digits are found in many order numbers by chance.
    """
    wanted = folded(secret.reveal())
    if not wanted:
        return False
    if "%" in text or "&" in text or "<" in text:
        return any(_is_in(wanted, one) for one in _decodings(text))
    return _is_in(wanted, text)


def _decodings(text: str) -> Iterator[str]:
    """Give a text, and what it stands for when it was percent-encoded or HTML, up to three times over."""
    yield text
    for _ in range(_ENCODED):
        plain = unescape(unquote(_TAGS.sub("", text)))
        if plain == text:
            return
        text = plain
        yield text


def _is_in(wanted: str, text: str) -> bool:
    if len(text) < len(wanted) or wanted not in folded(text):
        return False
    return len(wanted) >= _KEY or _stands_alone(wanted, text)


def folded(text: str) -> str:
    """Return the letters and digits of `text`, in lower case and in the digits 0 to 9."""
    if text.isascii():
        return text.lower() if text.isalnum() else text.translate(_FOLDED)
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(str(unicodedata.decimal(char, char)) for char in plain if char.isalnum())


def _stands_alone(wanted: str, text: str) -> bool:
    """Tell whether whole words of `text`, one after another, spell what is wanted."""
    text = _CALLED_PIN.sub(_spread, text)
    loose = _runs(LONGEST).sub(lambda found: " . " if found["kept"] else found[0], text)
    # A word of signs alone folds to nothing. Of the others no more than letters are wanted can spell them.
    words = [word for word in map(folded, _BETWEEN_WORDS.split(loose)) if word]
    for start in range(len(words)):
        spelled = ""
        for word in words[start : start + len(wanted)]:
            spelled += word
            if not wanted.startswith(spelled):
                break
            if spelled == wanted:
                return True
    return False


def _spread(called: re.Match[str]) -> str:
    """Return the digits that were called a PIN as words that are no time, date or amount."""
    return " ".join(["", "pin", *re.findall(r"\d+", called["after"] or called["before"]), "pin", ""])


def _without_spelled(text: str, wanted: str) -> str:
    """Mask every place of a long secret; the whole text for a short one, whose place is not told."""
    letters = [(char, place) for place, original in enumerate(text) for char in folded(original)]
    spelled = "".join(char for char, _ in letters)
    end, parts = 0, []
    first = spelled.find(wanted) if len(wanted) >= _KEY else -1
    while first >= 0:
        last = first + len(wanted) - 1
        parts += [text[end : letters[first][1]], MASK]
        end = letters[last][1] + 1
        first = spelled.find(wanted, last + 1)
    return "".join([*parts, text[end:]]) if parts else MASK
