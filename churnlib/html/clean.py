"""HTML that can be looked at but cannot act: no scripts, no handlers, nothing fetched from anywhere."""

from __future__ import annotations

import re

import bleach
from bs4 import BeautifulSoup

_TEXT = (
    "p",
    "a",
    "br",
    "hr",
    "em",
    "strong",
    "b",
    "i",
    "u",
    "s",
    "del",
    "small",
    "sub",
    "sup",
    "code",
    "kbd",
    "abbr",
)
_BLOCKS = (
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "blockquote",
    "pre",
    "div",
    "span",
)
_TABLES = ("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td")
_TAGS = frozenset((*_TEXT, *_BLOCKS, *_TABLES, "details", "summary", "figure", "figcaption", "img"))
_DROPPED_WITH_CONTENT = [
    "script",
    "style",
    "template",
    "noscript",
    "iframe",
    "object",
    "svg",
    "math",
    "title",
]
_PLAIN = {
    "col": {"span"},
    "colgroup": {"span"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
    "abbr": {"title"},
    "code": {"class"},  # what the code's colours hang on
    "pre": {"class"},
    "span": {"class"},
}
_LINK = re.compile(r"(?:https?://|mailto:|#)[^\s\x00-\x1f]*\Z|[\w./-]+(?:#[\w./-]*)?\Z", re.ASCII)
_EMBEDDED_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z")


def clean_html(html: str) -> str:
    """The HTML, reduced to structure: text, tables, plain links and images that are embedded in it."""
    soup = BeautifulSoup(html, "html.parser")
    for element in soup.find_all(_DROPPED_WITH_CONTENT):
        element.decompose()
    for image in soup.find_all("img"):
        if not _EMBEDDED_IMAGE.match(str(image.get("src", ""))):
            image.decompose()
    return str(
        bleach.clean(
            str(soup),
            tags=_TAGS,
            attributes=_may_stay,
            protocols=["http", "https", "mailto", "data"],  # data is only let through in an image
            strip=True,
        )
    )


def _may_stay(tag: str, name: str, value: str) -> bool:
    if (tag, name) == ("a", "href"):
        return bool(_LINK.match(value))
    if tag == "img":
        return name == "alt" or (name == "src" and bool(_EMBEDDED_IMAGE.match(value)))
    return name in _PLAIN.get(tag, ())
