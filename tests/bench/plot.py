"""Bars as SVG, for docs/results: one file that a browser shows, without anything to install."""

from xml.sax.saxutils import escape

WIDTH, LEFT, HIGH, TOP = 760, 170, 26, 44


def bars(title, rows):
    """One bar for each (name, value), as long as its value; what the reader compares is written beside it."""
    most = max(value for _, value in rows)
    scale = (WIDTH - LEFT - 90) / most
    height = TOP + HIGH * len(rows) + 12
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="24" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (name, value) in enumerate(rows):
        y = TOP + HIGH * number
        color = "#9aa5b1" if name.startswith("floor") else "#2f6fab"
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y + 2}" width="{max(value * scale, 1):.1f}" height="{HIGH - 8}" fill="{color}"/>',
            f'<text x="{LEFT + max(value * scale, 1) + 6:.1f}" y="{y + 15}">{value:.2f}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
