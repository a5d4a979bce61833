r"""$...$ and $$...$$ as MathML, which browsers draw without scripts: an extension of Python-Markdown.

The site (mkdocs.yml) and `minillm lesson open` use it alike. A formula is found after code and before everything else, so that
no sign in it is read as Markdown, and it is always part of its paragraph: in <span class="math"> together with the punctuation
that touches it, so that no line begins with a full stop; a formula on lines of its own in <span class="formula">. Both are kept
out of the search, which would show them as a row of letters. Raises FormulaError for LaTeX that cannot be read.
"""

import html
import re
from functools import cache

from latex2mathml.converter import convert
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

from minillm.errors import UserError

BLOCK = r"\$\$(.+?)\$\$"
INLINE = r"([(\[“‘]?)(?<![\\$\w])\$(?!\s)([^$\n]+?)(?<!\s)\$(?![\w$])([.,;:!?)\]”’]*)"
NAMES = re.compile(r"(<mi>(?:ln|log|exp|max|min|sin|cos)</mi>)(?=<m[in]>|<mi |<mfrac|<msub)")


class FormulaError(UserError):
    """LaTeX that cannot be read."""


@cache
def mathml(latex: str, display: str) -> str:
    """A formula as <math>; `display` is "inline" or "block"."""
    try:
        formula = convert(latex.strip(), display=display)
    except Exception as error:
        raise FormulaError(f"the formula ${latex}$: {type(error).__name__}: {error}") from error
    formula = formula.replace("<mo>&#x0221E;</mo>", "<mi>&#x0221E;</mi>")  # infinity is no operator
    return NAMES.sub(r'\1<mspace width="0.17em"/>', formula)


class Block(InlineProcessor):
    def handleMatch(self, m, data):
        span = f'<span class="formula" data-search-exclude>{mathml(m[1], "block")}</span>'
        return self.md.htmlStash.store(span), m.start(0), m.end(0)


class Inline(InlineProcessor):
    def handleMatch(self, m, data):
        before, latex, after = m.groups()
        span = (f'<span class="math" data-search-exclude>{before}{mathml(latex, "inline")}'
                f"{html.escape(after, quote=False)}</span>")
        return self.md.htmlStash.store(span), m.start(0), m.end(0)


class Formulas(Extension):
    def extendMarkdown(self, md):
        md.inlinePatterns.register(Block(BLOCK, md), "formula-block", 186)      # after `code` (190)
        md.inlinePatterns.register(Inline(INLINE, md), "formula", 185)  # before \escapes (180)


def makeExtension(**options):
    return Formulas(**options)
