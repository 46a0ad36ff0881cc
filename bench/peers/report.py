"""Summaries and Markdown tables of what ./dev bench peers measured. Standard library only."""
import collections
import math
import statistics

import machine


def digits(value):
    return "–" if value is None else f"{value:.3g}" if value < 99.95 else f"{value:.0f}"


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values))


def one_engine(cells):
    """The rounds of one cell as one row: medians over the rounds, and the least time of all."""
    good = [c for c in cells if "failed" not in c["result"]]
    if len(good) < len(cells):
        return {"failed": next(c["result"]["failed"] for c in cells if "failed" in c["result"])}
    results = [c["result"] for c in good]
    median = lambda field: statistics.median(r[field] for r in results)
    return {"median": median("p50_ms"), "least": min(r["min_ms"] for r in results), "load": median("load_ms") + median("prepare_ms"),
            "first": median("first_ms"), "peak": median("peak_rss_mb"), "added": max(0.0, median("peak_rss_mb") - median("base_rss_mb")),
            "by_round": {c["round"]: c["result"]["p50_ms"] for c in good}, "computed_in": results[0].get("computed_in"),
            "own_file": any(c.get("own_file") for c in good)}


def summarize(cells):
    """{(precision, threads): {network: {engine: row}}}, in the order of measuring."""
    grouped = collections.defaultdict(lambda: collections.defaultdict(lambda: collections.defaultdict(list)))
    for cell in cells:
        grouped[cell["precision"], cell["threads"]][cell["model"]][cell["engine"]].append(cell)
    return {part: {model: {engine: one_engine(rounds) for engine, rounds in row.items()} for model, row in models.items()}
            for part, models in grouped.items()}


def rivals(row, engines, field="median"):
    """The engines of a row that Mote is compared with: ranked, with a figure, on the same file."""
    return [e for e in row if e != "mote" and engines[e].get("ranked", True) and row[e].get(field) is not None and not row[e].get("own_file")]


def best_peer(row, engines, field="median"):
    return min(rivals(row, engines, field), key=lambda e: row[e][field], default=None)


def ratio(row, other, field="median"):
    """Mote's figure by another engine's; of times the median of the ratios inside the rounds. None where one is missing."""
    ours, theirs = row.get("mote", {}), row.get(other, {})
    if not ours.get(field) or not theirs.get(field):
        return None
    if field != "median":
        return ours[field] / theirs[field]
    shared = [ours["by_round"][r] / theirs["by_round"][r] for r in ours["by_round"] if r in theirs["by_round"]]
    return statistics.median(shared) if shared else None


def table(header, rows):
    return ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|", *("| " + " | ".join(row) + " |" for row in rows)]


def figure(row, name, field, engines, leader):
    value = row.get(name, {}).get(field)
    if value is None:
        return "fails" if row.get(name, {}).get("failed") else "–"
    text = f"**{digits(value)}**" if name == leader else digits(value)
    chosen = row[name].get("computed_in") if not engines[name].get("ranked", True) else None
    return text + ("°" if row[name].get("own_file") else "") + (f" ({chosen})" if chosen else "")


def figures_table(models, engines, names, field):
    """One line per network: every engine's figure, the best peer and Mote's ratio to it. Returns the lines and the ratios."""
    rows, ratios = [], {}
    for model, row in models.items():
        peer = best_peer(row, engines, field)
        ours = ratio(row, peer, field)
        able = [e for e in [*rivals(row, engines, field), "mote"] if row.get(e, {}).get(field) is not None]
        leader = min(able, key=lambda e: row[e][field], default=None)
        figures = [figure(row, name, field, engines, leader) for name in names]
        rows.append([model, *figures, peer or "–", "–" if ours is None else f"{ours:.2f}"])
        if ours is not None:
            ratios[model] = ours
    return table(["network", *names, "best peer", "Mote / best"], rows), ratios


def sentence(ratios, what):
    if not ratios:
        return f"No network has Mote's {what} and a peer's."
    worst = max(ratios, key=ratios.get)
    above = sum(v > 1 for v in ratios.values())
    return (f"Mote's {what} by the best peer's: geometric mean **{geometric_mean(ratios.values()):.2f}** over {len(ratios)} networks, "
            f"largest {ratios[worst]:.2f} ({worst}), {above} above 1.")


def against_each(models, engines):
    lines = []
    for engine in engines:
        values = [r for row in models.values() if engine in row and not row[engine].get("own_file") and (r := ratio(row, engine)) is not None]
        if engine != "mote" and values:
            lines.append(f"by {engine} {geometric_mean(values):.2f} ({len(values)})")
    return "Geometric mean of Mote's time " + ", ".join(lines) + "." if lines else ""


def section(part, models, engines, plots):
    precision, threads = part
    names = [e for e in engines if any(e in row for row in models.values())]
    title = f"{precision}, {threads} thread{'s' if threads > 1 else ''}"
    lines, ratios = figures_table(models, engines, names, "median")
    out = [f"## {title}", "", "Median latency, milliseconds:", "", *lines, "", sentence(ratios, "time"), against_each(models, names), ""]
    for caption, field in (("Least latency, milliseconds", "least"), ("Milliseconds from opening the file to being ready", "load"),
                           ("Memory added by loading and running, MB, at its peak", "added"), ("Peak memory of the process, MB (of all but Mote with Python)", "peak")):
        lines, ratios = figures_table(models, engines, names, field)
        out += [f"{caption}:", "", *lines, ""]
        if field in ("load", "added"):
            out += [sentence(ratios, "load time" if field == "load" else "added memory"), ""]
    return out + [f"![{title}: {what}]({file})" for what, file in plots.get(part, ())] + [""]


def exactness(cells):
    """How many elements of the answers in integers are not those of the reference kernels."""
    found = {(c["model"], c["engine"]): c["result"] for c in cells if c["result"].get("differ") is not None}
    models, engines = (list(dict.fromkeys(key[i] for key in found)) for i in range(2))
    told = lambda r: "–" if r is None else "none" if r["differ"] == 0 else f"{r['differ']}, up to {r['steps']} steps"
    rows = [[model, *(told(found.get((model, engine))) for engine in engines)] for model in models]
    return ["Elements of the answer that differ from LiteRT's reference kernels:", "", *table(["file", *engines], rows), ""] if rows else []


def failures(cells, engines):
    """What has no time, and why; one line for each reason."""
    reasons = collections.defaultdict(list)
    for cell in cells:
        if "failed" in cell["result"]:
            key = (cell["engine"], cell["precision"], cell["result"]["failed"])
            if cell["model"] not in reasons[key]:
                reasons[key].append(cell["model"])
    lines = [f"- {engine}, {precision}, {', '.join(models)}: {why}" for (engine, precision, why), models in sorted(reasons.items())]
    measured = {cell["precision"] for cell in cells}
    return lines + [f"- {engine}, {precision}: {why}" for engine, about in engines.items() for precision, why in about.get("lacks", {}).items()
                    if precision in measured]


def markdown(document, plots=None):
    engines, settings = document["engines"], document["settings"]
    summary = summarize(document["cells"])
    rounds = len({c["round"] for c in document["cells"]})
    lines = ["# Mote beside other engines", "", f"{document['date']}, {machine.text(document['machine'])}.  ",
             "; ".join(about["version"] for about in engines.values()) + ".", "",
             "Made by `./dev bench peers`, which anyone can run again. The networks are those of `tools/export_zoo.py`: seeded random weights, batch-norm",
             "statistics of random batches. Each cell is a fresh process pinned to as many cores as it has threads; its answer is checked before any time",
             f"counts, and what is wrong has no time. A cell is the median of {settings['seconds']:g} s of runs after {settings['warmup']:g} s; shown is the median of {rounds} rounds, in which the",
             "engines take turns. Ratios of latency are taken inside rounds. Added memory is the peak less what the process held before it opened the model.",
             "int8: ONNX Runtime's quantizer, static QDQ per channel, dynamic for transformers and recurrent networks; ° is a file that the engine",
             "quantized itself, which is not ranked. int8 answers are held to ONNX Runtime's without the sums that saturate on CPUs without VNNI. `openvino_default` computes in what it chooses (in brackets), and is not ranked either.",
             "tflite: a TensorFlow Lite file as it is; Mote's integers have every bit of LiteRT's reference kernels.", ""]
    for part, models in summary.items():
        lines += section(part, models, engines, plots or {})
        if part[0] == "tflite":
            lines += exactness([c for c in document["cells"] if (c["precision"], c["threads"]) == part])
    without = failures(document["cells"], engines)
    if without:
        lines += ["## Without a time", "", *without, ""]
    return "\n".join(lines)
