"""SVG plots of tables: a row per thing, a mark per series on a logarithmic axis; and lines over a logarithmic x. Standard library only."""
import math
from html import escape

COLORS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f", "#bcbd22", "#e377c2")
LEFT, RIGHT, TOP, ROW = 190, 30, 74, 24


def number(value):
    return f"{value:g}" if value < 1000 else f"{value:,.0f}"


def ticks(low, high):
    """1, 2, 5 steps that cover the range; whole decades where there would be too many."""
    steps = [m * 10 ** e for e in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1) for m in (1, 2, 5)]
    inside = [t for t in steps if low <= t * 1.0001 and t <= high * 1.0001]
    return inside if len(inside) <= 12 else [t for t in inside if f"{t:e}"[0] == "1"]


def scale(low, high, start, end):
    low, high = math.log(low), math.log(high)
    return lambda value: start + (math.log(value) - low) / (high - low) * (end - start)


def text(x, y, what, size=12, anchor="start", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{extra}>{escape(what)}</text>'


def frame(width, height, title):
    return [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" fill="#222">',
            '<rect width="100%" height="100%" fill="#fff"/>', text(16, 26, title, 15)]


def legend(series, width):
    parts, x, y = [], 16.0, 48
    for i, name in enumerate(series):
        if x + 30 + 7.5 * len(name) > width:
            break
        parts += [mark(x + 5, y - 4, i), text(x + 15, y, name)]
        x += 30 + 7.5 * len(name)
    return parts


def mark(x, y, index, title=""):
    color, label = COLORS[index % len(COLORS)], f"<title>{escape(title)}</title>" if title else ""
    if index == 0:
        return f'<path d="M{x - 6:.1f} {y:.1f}l6 -6l6 6l-6 6z" fill="{color}">{label}</path>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{color}" fill-opacity="0.8">{label}</circle>'


def dots(title, unit, series, rows, line=None):
    """`rows`: {label: {series name: value}}; `line`: an x to draw a line at. None where there is nothing to draw."""
    values = [v for row in rows.values() for v in row.values() if v]
    if not values:
        return None
    low, high = min([*values, line or math.inf]) / 1.15, max([*values, line or 0]) * 1.15
    width, bottom = 900, TOP + ROW * len(rows)
    at = scale(low, high, LEFT, width - RIGHT)
    out = frame(width, bottom + 44, title) + legend(series, width)
    for t in ticks(low, high):
        out += [f'<line x1="{at(t):.1f}" x2="{at(t):.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="#ddd"/>', text(at(t), bottom + 16, number(t), 11, "middle")]
    if line:
        out.append(f'<line x1="{at(line):.1f}" x2="{at(line):.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="#d62728" stroke-dasharray="4 3"/>')
    for i, (label, row) in enumerate(rows.items()):
        y = TOP + ROW * i + ROW / 2
        out += [f'<line x1="{LEFT}" x2="{width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eee"/>', text(LEFT - 10, y + 4, label, 12, "end")]
        out += [mark(at(row[s]), y, k, f"{label}, {s}: {row[s]:.3g} {unit}") for k, s in reversed(list(enumerate(series))) if row.get(s)]
    return "\n".join([*out, text((LEFT + width - RIGHT) / 2, bottom + 36, unit, 12, "middle"), "</svg>", ""])


def curves(title, x_name, y_name, series):
    """`series`: {name: [(x, y)]}, both axes logarithmic. None where there is nothing to draw."""
    points = [p for line in series.values() for p in line if p[1]]
    if not points:
        return None
    width, height, left, bottom = 900, 480, 80, 420
    x_low, x_high = min(p[0] for p in points), max(p[0] for p in points)
    y_low, y_high = min(p[1] for p in points) / 1.2, max(p[1] for p in points) * 1.2
    x_at = scale(x_low, max(x_high, x_low * 1.01), left, width - RIGHT)
    y_at = scale(y_low, y_high, bottom, TOP)
    out = frame(width, height, title) + legend(series, width)
    for t in sorted({p[0] for p in points}):
        out += [f'<line x1="{x_at(t):.1f}" x2="{x_at(t):.1f}" y1="{TOP}" y2="{bottom}" stroke="#eee"/>', text(x_at(t), bottom + 18, number(t), 11, "middle")]
    for t in ticks(y_low, y_high):
        out += [f'<line x1="{left}" x2="{width - RIGHT}" y1="{y_at(t):.1f}" y2="{y_at(t):.1f}" stroke="#ddd"/>', text(left - 8, y_at(t) + 4, number(t), 11, "end")]
    for i, (name, line) in enumerate(series.items()):
        path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in line if y)
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLORS[i % len(COLORS)]}" stroke-width="2"/>')
        out += [mark(x_at(x), y_at(y), i, f"{name}, {x_name} {x:g}: {y:.3g}") for x, y in line if y]
    return "\n".join([*out, text((left + width - RIGHT) / 2, height - 14, x_name, 12, "middle"), text(16, TOP - 8, y_name, 12), "</svg>", ""])
