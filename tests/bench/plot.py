"""The plot of doc/: how many times faster than mbsync, a bar for each work,
on a logarithmic axis, as SVG by hand.  It follows the reader's light or dark
mode."""

import math
from xml.sax.saxutils import escape

LEFT, WIDTH, RIGHT = 330, 560, 90
ROW, TOP, BOTTOM = 22, 64, 30

STYLE = """
  svg { background: #ffffff }
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px }
  .axis { font-size: 11px; fill: #57606a }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .one { stroke: #57606a; stroke-width: 1.5 }
  .faster { fill: #1a7f6b } .slower { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117 }
    text { fill: #e6edf3 } .axis { fill: #9198a1 }
    .grid { stroke: #30363d } .one { stroke: #9198a1 }
    .faster { fill: #3fb59c } .slower { fill: #e8843c }
  }
"""


def bars(results):
    """(label, ratio, ratio is a lower bound)"""
    found = []
    for r in results:
        rows = r["median"]
        if "mochila" in rows and "mbsync" in rows:
            found.append(("%s, %d ms" % (r["work"], r["delay_ms"]),
                          rows["mbsync"]["seconds"] /
                          rows["mochila"]["seconds"],
                          rows["mbsync"]["over"]))
    return found


def ticks(low, high):
    """1, 2, 5, 10 and so on between two powers of ten."""
    if high - low > 2:
        return [10.0 ** e for e in range(low, high + 1)]
    return [m * 10.0 ** e for e in range(low, high) for m in (1, 2, 5)] + \
        [10.0 ** high]


def text(x, y, words, anchor="start", kind=""):
    return '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>' % (
        x, y, anchor, ' class="%s"' % kind if kind else "", escape(words))


def svg(results):
    rows = bars(results)
    ratios = [ratio for _, ratio, _ in rows] or [1]
    low = min(0, math.floor(math.log10(min(ratios))))
    high = max(1, math.ceil(math.log10(max(ratios))))
    height = TOP + ROW * len(rows) + BOTTOM

    def at(ratio):
        return LEFT + WIDTH * (math.log10(ratio) - low) / (high - low)

    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
           'role="img" aria-label="Times faster than mbsync">'
           % (LEFT + WIDTH + RIGHT, height),
           "<style>%s</style>" % STYLE,
           text(16, 24, "How many times faster than mbsync (median seconds; "
                "left of 1 is slower)", kind="title")]
    for x in ticks(low, high):
        out.append('<line class="%s" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>'
                   % ("one" if x == 1 else "grid", at(x), at(x), TOP - 6,
                      height - BOTTOM))
        out.append(text(at(x), TOP - 12, "%g" % x, "middle", "axis"))
    for i, (label, ratio, least) in enumerate(rows):
        out += bar(TOP + ROW * i, label, at(1), at(ratio), ratio, least)
    return "\n".join(out + ["</svg>", ""])


def bar(y, label, one, end, ratio, least):
    words = ("> " if least else "") + ("%.0f" if ratio >= 100 else
                                       "%.1f" if ratio >= 10 else
                                       "%.2f") % ratio
    return [text(LEFT - 10, y + 15, label, "end"),
            '<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d" '
            'rx="2"/>' % ("faster" if ratio >= 1 else "slower",
                          min(one, end), y + 3, max(abs(end - one), 1),
                          ROW - 6),
            text(max(one, end) + 6, y + 15, words)]
