"""A legal text as a paper: the same Markdown that makes the page, drawn on A4."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from coaching_site import links, markdown
from coaching_site.pdf import Column, Paper, Run

DRAFT = "Entwurf, bitte von einer Anwältin oder einem Anwalt prüfen lassen."
CODE = ("fence", "code_block")


def draw(
    *, title: str, text: str, brand: str, made_at: datetime, state: str, is_draft: bool
) -> bytes:
    """The whole file; `state` stands under the title and at the bottom of every page."""
    paper = Paper(title, brand=brand, made_at=made_at, footer=[f"{title}. {state}."])
    paper.heading(title, level=0)
    paper.paragraph(state, small=True)
    if is_draft:
        paper.paragraph([Run(DRAFT, bold=True)])
    for node in SyntaxTreeNode(markdown.parse(text)).children:
        _draw(paper, node)
    return paper.as_bytes()


def _draw(paper: Paper, node: SyntaxTreeNode, *, indent: int = 0) -> None:
    if node.type == "heading":
        paper.heading("".join(run.text for run in _runs(node)), level=int(node.tag[1]) - 1)
    elif node.type == "paragraph":
        paper.paragraph(list(_runs(node)), indent=indent)
    elif node.type in ("bullet_list", "ordered_list"):
        items = [list(_runs(item)) for item in node.children]
        paper.items(items, numbered=node.type == "ordered_list", indent=indent)
    elif node.type == "hr":
        # What follows a line may be meant to be sent back: it gets a page of its own.
        paper.new_page()
    elif node.type == "table":
        _draw_table(paper, node)
    elif node.type in CODE:
        paper.paragraph(node.content, indent=indent)
    else:
        for child in node.children:
            _draw(paper, child, indent=indent + 1)


def _draw_table(paper: Paper, node: SyntaxTreeNode) -> None:
    header, *rows = [
        ["".join(run.text for run in _runs(cell)) for cell in row.children]
        for part in node.children
        for row in part.children
    ]
    widths = [max(len(row[place]) for row in [header, *rows]) for place in range(len(header))]
    # A long column gets more room, but none starves.
    columns = [
        Column(name, min(max(width, 12), 40)) for name, width in zip(header, widths, strict=True)
    ]
    paper.table(columns, rows)


def _runs(node: SyntaxTreeNode) -> Iterator[Run]:
    """All the words inside, with the face and the link they stand in."""
    bold = italic = 0
    link = ""
    for token in _inline(node.to_tokens()):
        if token.type.startswith("strong"):
            bold += token.nesting
        elif token.type.startswith("em"):
            italic += token.nesting
        elif token.type == "link_open":
            link = _absolute(str(token.attrs["href"]))
        elif token.type == "link_close":
            link = ""
        elif token.type == "hardbreak":
            yield Run("\n")
        elif token.type == "softbreak":
            yield Run(" ", bool(bold), bool(italic), link)
        elif token.content:
            yield Run(token.content, bool(bold), bool(italic), link)


def _inline(tokens: list[Token]) -> Iterator[Token]:
    """What stands in paragraphs; several of them in one item become lines."""
    paragraphs = [_words(token) for token in tokens if token.type in ("inline", *CODE)]
    for number, children in enumerate(paragraphs):
        if number:
            yield Token("hardbreak", "br", 0)
        yield from children


def _words(token: Token) -> list[Token]:
    if token.type in CODE:
        return [Token("text", "", 0, content=token.content.rstrip("\n"))]
    return token.children or []


def _absolute(href: str) -> str:
    if href.startswith("/"):
        return links.absolute(href)
    # A place on the same page has no address in a file.
    return "" if href.startswith("#") else href
