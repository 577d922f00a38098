"""Writes Markdown's tokens as a text to be read: the mail's second part.

Paragraphs are one line each, as in our other mails, and flow to the width of the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from newsletter.rendering import placeholders
from newsletter.rendering.placeholders import Placeholder

UNDERLINES = {"h2": "=", "h3": "-"}
RULE = "* * *"
CODE_INDENT = "    "


def written(tokens: Sequence[Token]) -> str:
    """The text of a whole body, without a line break at its end."""
    return _blocks(SyntaxTreeNode(tokens).children)


def _blocks(nodes: Iterable[SyntaxTreeNode], gap: str = "\n\n") -> str:
    return gap.join(text for text in map(_block, nodes) if text)


def _block(node: SyntaxTreeNode) -> str:
    match node.type:
        case "heading":
            return _heading(_inline(node.children), node.tag)
        case "blockquote":
            return _indented(_blocks(node.children), "> ", "> ")
        case "bullet_list":
            return _items(node, ["- "] * len(node.children))
        case "ordered_list":
            first = int(node.attrs.get("start", 1))
            return _items(node, [f"{first + at}. " for at in range(len(node.children))])
        case "fence" | "code_block":
            return _indented(node.content.rstrip("\n"), CODE_INDENT, CODE_INDENT)
        case "hr":
            return RULE
        case _:
            return _inline(node.children)


def _heading(text: str, tag: str) -> str:
    line = UNDERLINES.get(tag)
    return f"{text}\n{line * len(text)}" if line else text


def _items(node: SyntaxTreeNode, bullets: Sequence[str]) -> str:
    gap = "\n" if _is_tight(node) else "\n\n"
    return gap.join(
        _indented(_blocks(item.children, gap), bullet, " " * len(bullet))
        for bullet, item in zip(bullets, node.children, strict=True)
    )


def _is_tight(node: SyntaxTreeNode) -> bool:
    """Whether the items stand close together; Markdown hides their paragraphs then."""
    return any(
        child.type == "paragraph" and child.hidden
        for item in node.children
        for child in item.children
    )


def _indented(text: str, first: str, others: str) -> str:
    lines = text.split("\n")
    return "\n".join(f"{others if at else first}{line}".rstrip() for at, line in enumerate(lines))


def _inline(nodes: Iterable[SyntaxTreeNode]) -> str:
    return "".join(map(_piece, nodes))


def _piece(node: SyntaxTreeNode) -> str:
    match node.type:
        case "softbreak":
            return " "
        case "hardbreak":
            return "\n"
        case "strong":
            return f"*{_inline(node.children)}*"
        case "em":
            return f"_{_inline(node.children)}_"
        case "link":
            return _link(_inline(node.children), str(node.attrs.get("href", "")))
        case "image":
            return f"[Bild: {_inline(node.children)}]"
        case "placeholder":
            return _placeholder(node)
        case "inline":
            return _inline(node.children)
        case _:
            return node.content


def _link(text: str, url: str) -> str:
    shown = url.removeprefix("mailto:").removeprefix("tel:")
    return shown if text in (url, shown) else f"{text} ({shown})"


def _placeholder(node: SyntaxTreeNode) -> str:
    found = node.meta["placeholder"]
    assert isinstance(found, Placeholder)
    return placeholders.mark(found.word, found.fallback) if found.is_whole else found.written
