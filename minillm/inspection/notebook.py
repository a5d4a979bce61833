"""How a notebook shows what inspection found: the tables and heat maps of the page, as HTML.

A cell that ends with a result shows it (`_repr_html_`). Everything that comes from a model or a
text is escaped, and there is no script and nothing is loaded. Colours stand in the cells, with ink
that can be read on them, so that light and dark notebooks show the same.
"""

from html import escape

import numpy as np

from minillm.inspection.ablation import Ablation
from minillm.inspection.attribution import Attribution
from minillm.inspection.averages import AverageAblation
from minillm.inspection.circuits import OV, QK
from minillm.inspection.compare import Comparison
from minillm.inspection.faithfulness import Checks
from minillm.inspection.heads import KINDS, HeadScores
from minillm.inspection.lens import Lens
from minillm.inspection.neurons import Neurons
from minillm.inspection.pairs import AveragePatching
from minillm.inspection.patching import Patching
from minillm.inspection.shown import Words, html

MORE = ("#f3f6fb", "#cadcf0", "#8db6de", "#4382c3", "#123f73")
BOTH = ("#8f4300", "#dd8a3c", "#f7d9b8", "#f5f6f8", "#c5dcf0", "#5b9bd1", "#0b4f91")
CELL = "padding:2px 5px;text-align:center;white-space:pre;border:1px solid #fff"
HEAD = CELL + ";font-weight:600;color:inherit;background:transparent;border:0"
RIGHT = HEAD + ";text-align:right"
BOX = "overflow-x:auto;max-height:36rem;font-size:12px;margin:0 0 .8em"
NAMES = 24  # characters of a token that are shown; the rest is in the cell's tooltip


@html.register
def _(found: Lens) -> str:
    words = found.words or Words(None)
    texts = [[words(token) for token in row] for row in found.token_NTM[..., 0]]
    rows = ["embedding", *(f"after layer {i}" for i in range(len(texts) - 1))]
    return heat("Logit lens: the most probable token after each layer, by its probability", rows,
                columns(words, found.p_NTM.shape[1]), found.p_NTM[..., 0], most=1, texts=texts)


@html.register
def _(found: Attribution) -> str:
    words, L = found.words or Words(None), found.head_TLH.shape[1]
    rows, values = ["embedding"], [found.embed_T]
    for i in range(L):
        rows += [f"attention {i}", f"MLP {i}"]
        values += [found.head_TLH[:, i].sum(-1) + found.bias_TL[:, i], found.mlp_TL[:, i]]
    if np.any(found.norm_T):
        rows, values = [*rows, "norm's bias"], [*values, found.norm_T]
    rows, values = [*rows, "sum: the logit"], [*values, found.total_T]
    names = [f"{name} → {words(token)}" for name, token in zip(columns(words, len(found.token_T)),
                                                               found.token_T)]
    return heat("What each part adds to a logit, at every position", rows, names, np.array(values),
                signed=True)


@html.register
def _(found: Ablation) -> str:
    rows, names = numbered("layer", len(found.kl_LNT)), numbered("", found.kl_LNT.shape[1])
    most = float(np.nanmax(found.kl_LNT.mean(-1), initial=1e-9))
    maps = ((found.kl_LNT, f"Replaced by {found.instead}: mean KL over the positions, nats"),
            (found.control_kl_LNT, "Control: a random change as long"))
    return "".join(heat(about, rows, names, kl_LNT.mean(-1), most=most) for kl_LNT, about in maps)


@html.register
def _(found: AverageAblation) -> str:
    rows, names = numbered("layer", len(found.kl_LN)), numbered("", found.kl_LN.shape[1])
    notes = [[f"95%: {number(low)} to {number(high)}" for low, high in zip(*row)]
             for row in zip(found.low_LN, found.high_LN)]
    most = float(np.nanmax(found.kl_LN, initial=1e-9))
    about = f"Replaced by {found.instead}: mean KL over {found.prompts} prompts, nats"
    return (heat(about, rows, names, found.kl_LN, most=most, notes=notes)
            + heat("Control: a random change as long", rows, names, found.control_kl_LN, most=most))


@html.register
def _(found: Patching) -> str:
    return patched(found, found.recovered_LN, "",
                   np.where(found.exact_LN, "", "estimated by gradient"))


@html.register
def _(found: AveragePatching) -> str:
    notes = [[f"95%: {number(low)} to {number(high)}" for low, high in zip(*row)]
             for row in zip(found.low_LN, found.high_LN)]
    return patched(found, found.share_LN, f", mean over {found.pairs} pair{'s' * (found.pairs > 1)}", notes)


def patched(found, share_LN, more: str, notes) -> str:
    """The share of the answer that comes back, by layer and part."""
    words, places = found.words or Words(None), found.parts[-1]
    head = "key/value head " if found.site in "kv" else "head "
    titles = {"position": columns(words, places), "head": numbered(head, share_LN.shape[1])}
    names = titles.get(found.by) or [f"{h} {name}"
                                     for h in range(share_LN.shape[1] // max(1, places))
                                     for name in columns(words, places)]
    about = (f"{found.site} of the clean run put into the corrupt run, by {found.by}{more}: 1 "
             f"brings all of the answer back (clean {number(found.clean)}, "
             f"corrupt {number(found.corrupt)})")
    return heat(about, numbered("layer", len(share_LN)), names, share_LN, signed=True, most=1,
                notes=notes)


@html.register
def _(found: HeadScores) -> str:
    about = {kind: f"Attention, {kind}: even attention has {number(found.uniform[kind])}"
             for kind in KINDS}
    return "".join(heat(about[kind], numbered("layer", len(score_LH)),
                        numbered("head ", score_LH.shape[1]), score_LH, most=1)
                   for kind in KINDS for score_LH in [getattr(found, f"{kind}_LH")])


@html.register
def _(found: Neurons) -> str:
    names, rows = columns(found.words or Words(None), len(found.unit_TN)), []
    for t, name in enumerate(names):
        each = zip(found.layer_TN[t], found.unit_TN[t], found.activation_TN[t], found.score_TN[t])
        rows += [[name if not n else "", f"{layer}.{unit}", number(active), number(score)]
                 for n, (layer, unit, active, score) in enumerate(each)]
    return table(f"The strongest neurons, by {found.by}",
                 ["at", "layer.neuron", "activation", found.by], rows)


@html.register
def _(found: OV) -> str:
    words = found.words or Words(None)
    named = lambda row: " ".join(words(token) for token in row)
    rows = [[words(token), named(best), named(worst), f"{rank:,}"] for token, best, worst, rank
            in zip(found.token_N, found.best_NM, found.worst_NM, found.rank_N)]
    return table(f"Head {found.layer}.{found.head}: what it writes when it looks at a token",
                 ["token", "raises most", "lowers most", "its own rank"], rows)


@html.register
def _(found: QK) -> str:
    words = found.words or Words(None)
    about = (f"Head {found.layer}.{found.head}: the score of a query (rows) for a key (columns) "
             f"{found.distance} back")
    return heat(about, [words(token) for token in found.query_N],
                [words(token) for token in found.key_M], found.score_NM, signed=True)


@html.register
def _(found: Comparison) -> str:
    about = f"Relative error; the same answer at {found.same_T.sum()} of {len(found.same_T)} places"
    return heat(about, numbered("layer", len(found.error_LN)), list(found.taps), found.error_LN)


@html.register
def _(found: Checks) -> str:
    rows = [[each.verdict, each.name,
             "" if each.difference is None else f"{each.difference:.1e} of {each.tolerance:.0e}",
             each.skipped or each.meaning] for each in found]
    return table("Identities that must hold", ["", "identity", "difference", "what"], rows)


# ---- pieces --------------------------------------------------------------------------------------


def heat(about: str, rows, names, values, signed: bool = False, most: float | None = None,
         texts=None, notes=None) -> str:
    """A table with coloured cells: values (rows, names); NaN is left out. `texts` stand in the
    cells instead of numbers."""
    values = np.asarray(values, np.float64)
    most = most or float(np.max(np.abs(values[np.isfinite(values)]), initial=1e-9))
    lines = []
    for r, name in enumerate(rows):
        cells = []
        for c, value in enumerate(values[r]):
            place = f"{name}, {names[c]}: {texts[r][c] + ' ' if texts else ''}{number(value)}"
            place += f" ({notes[r][c]})" if notes is not None and notes[r][c] else ""
            style = f"{CELL};{colours(value / most, signed)}"
            cells.append(f'<td style="{style}" title="{escape(place)}">'
                         f'{cut(texts[r][c] if texts else number(value))}</td>')
        lines.append(f'<tr><th style="{RIGHT}">{cut(name)}</th>{"".join(cells)}</tr>')
    heads = "".join(f'<th style="{HEAD}" title="{escape(name)}">{cut(name)}</th>' for name in names)
    return framed(about, f"<tr><th></th>{heads}</tr>", "".join(lines))


def table(about: str, names, rows) -> str:
    """A plain table of texts."""
    style = CELL.replace("center", "left")
    line = lambda tag, cells: "<tr>" + "".join(f'<{tag} style="{style}">{escape(str(cell))}</{tag}>'
                                               for cell in cells) + "</tr>"
    return framed(about, line("th", names), "".join(line("td", row) for row in rows))


def framed(about: str, head: str, body: str) -> str:
    """A table with its caption, which scrolls by itself."""
    return (f'<div style="{BOX}"><table style="border-collapse:collapse">'
            f'<caption style="text-align:left;color:inherit">{escape(about)}</caption>'
            f"<thead>{head}</thead><tbody>{body}</tbody></table></div>")


def colours(share: float, signed: bool) -> str:
    """Background and ink for a share of the largest value: 0 to 1, or -1 to 1."""
    if not np.isfinite(share):
        return "background:#eceff3;color:#5a6474"
    stops = [[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in (BOTH if signed else MORE)]
    place = np.clip((share + 1) / 2 if signed else share, 0, 1) * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    red, green, blue = (round(a + (b - a) * (place - low)) for a, b in zip(stops[low],
                                                                           stops[low + 1]))
    ink = "#000" if luminance(red, green, blue) > 0.179 else "#fff"  # 4.5 to 1 or more, always
    return f"background:#{red:02x}{green:02x}{blue:02x};color:{ink}"


def luminance(*rgb: int) -> float:
    """How light a colour is, 0 to 1: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    linear = [v / 3294.6 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def cut(text: str) -> str:
    """A short text, escaped."""
    return escape(text if len(text) <= NAMES else text[: NAMES - 1] + "…")


def number(value) -> str:
    """A number in few digits; – where there is none."""
    return "–" if value is None or not np.isfinite(value) else f"{value:.3g}"


def columns(words: Words, count: int) -> list[str]:
    """The tokens of the text, or numbers where they are not known."""
    return words.positions() if len(words.tokens) == count else numbered("", count)


def numbered(name: str, count: int) -> list[str]:
    """name0, name1, ..."""
    return [f"{name}{' ' if name and name[-1] != ' ' else ''}{i}" for i in range(count)]
