"""Writes the Markdown tables of ./dev bench peers from its cells."""
import collections
import math
import statistics


def digits(value):
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def summarize(cells):
    """{(model, threads, precision): {engine: {"median", "best", "start", "memory", "failed"}}} over the rounds."""
    groups = collections.defaultdict(list)
    for cell in cells:
        groups[(cell["model"], cell["threads"], cell["precision"]), cell["engine"]].append(cell)
    table = collections.defaultdict(dict)
    for (key, engine), rounds in groups.items():
        good = [c["result"] for c in rounds if "failed" not in c["result"]]
        failed = next((c["result"]["failed"] for c in rounds if "failed" in c["result"]), None)
        if failed or not good:
            table[key][engine] = {"failed": failed}
            continue
        median = lambda field: statistics.median(r[field] for r in good)
        table[key][engine] = {
            "median": median("p50_ms"), "best": min(r["p50_ms"] for r in good), "start": median("load_ms") + median("prepare_ms"),
            "memory": median("peak_rss_mb") - (median("base_rss_mb") if "base_rss_mb" in good[0] else 0),
            "by_round": {c["round"]: c["result"]["p50_ms"] for c in rounds}}
    return table


def ratio(row, engine, other):
    """Median over the rounds of engine's time by the other's in the same round."""
    ours, theirs = row.get(engine, {}).get("by_round", {}), row.get(other, {}).get("by_round", {})
    shared = [ours[r] / theirs[r] for r in ours if r in theirs]
    return statistics.median(shared) if shared else None


def cells_text(row, engines, field):
    values = [row.get(e, {}).get(field) for e in engines]
    known = [v for v in values if v is not None]
    lowest = min(known) if known else None
    for value in values:
        text = "–" if value is None else digits(value)
        yield f"**{text}**" if value is not None and value == lowest and len(known) > 1 else text


def section(table, threads, precision, engines):
    rows = {key[0]: row for key, row in table.items() if key[1:] == (threads, precision)}
    rivals = [e for e in engines if e != "mote"] if "mote" in engines else []
    lines = [f"## {precision}, {threads} thread{'s' if threads > 1 else ''}", ""]
    header = ["network", *engines, *(f"mote / {e}" for e in rivals)]
    lines += ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    ratios = collections.defaultdict(list)
    for model, row in rows.items():
        line = [model, *cells_text(row, engines, "median")]
        for rival in rivals:
            value = ratio(row, "mote", rival)
            line.append("–" if value is None else f"{value:.2f}")
            if value is not None:
                ratios[rival].append(value)
        lines.append("| " + " | ".join(line) + " |")
    for rival, values in ratios.items():
        mean = math.exp(statistics.fmean(math.log(v) for v in values))
        lines.append(f"\nMote's time by {rival}'s: geometric mean {mean:.2f} over {len(values)} networks, largest {max(values):.2f}.")
    for title, field in (("Milliseconds from opening the file to being ready", "start"), ("Best round, milliseconds", "best"),
                         ("Memory added at its peak, MB", "memory")):
        lines += ["", f"{title}:", "", "| network | " + " | ".join(engines) + " |", "|---" * (len(engines) + 1) + "|"]
        lines += ["| " + " | ".join([model, *cells_text(row, engines, field)]) + " |" for model, row in rows.items()]
    return lines


def markdown(document):
    machine, engines = document["machine"], list(document["engines"])
    table = summarize(document["cells"])
    rounds = 1 + max((c["round"] for c in document["cells"]), default=-1)
    seconds = sorted({c["seconds"] for c in document["cells"]})
    lines = ["# Mote beside other engines", "",
             f"{document['date']}, {machine['cpu']}, {machine['cores']} cores, {', '.join(machine['isa'])}, {machine['system']}.  ",
             f"{'; '.join(document['engines'].values())}.", "",
             "Made by `./dev bench peers` on the networks of `tools/export_zoo.py`. Milliseconds per run: each cell is a fresh process pinned to as",
             f"many cores as it has threads, the median of {'/'.join(f'{s:g}' for s in seconds)} s of runs; shown is the median of {rounds} rounds in which the engines take",
             "turns. An answer further than 1e-4 of the output's standard deviation from PyTorch's has no time. Ratios are taken within a round.",
             "Memory is the process's peak; for engines that are Python modules, without what Python and the module held before loading.", ""]
    for threads, precision in sorted({key[1:] for key in table}, key=lambda k: (k[1], k[0])):
        lines += [*section(table, threads, precision, engines), ""]
    failed = sorted({(c["engine"], c["model"], c["result"]["failed"]) for c in document["cells"] if "failed" in c["result"]})
    if failed:
        lines += ["## Without a time", ""] + [f"- {engine}, {model}: {why}" for engine, model, why in failed] + [""]
    return "\n".join(lines)
