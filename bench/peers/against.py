"""Compares Mote's figures with those of an earlier run. Standard library only.

A network is slower when its time has grown by more than noise: 5 %, or the spread of the rounds of either run where that is more. Where both
runs measured other engines of the same versions on the network, times are first divided by theirs, so that a slower machine is no regression.
"""
import report

NOISE, MEMORY_NOISE, MEMORY_MB = 0.05, 0.05, 2.0


def spread(row):
    times = list(row["by_round"].values())
    return max(times) / min(times) - 1 if times else 0.0


def pace(new, old, new_engines, old_engines):
    """How much slower the other engines are in the new run: the geometric mean of their times, new by old; 1 where none is shared."""
    shared = [new[e]["median"] / old[e]["median"] for e in new if e != "mote" and e in old and new[e].get("median") and old[e].get("median")
              and new_engines[e]["version"] == old_engines[e]["version"]]
    return report.geometric_mean(shared) if shared else 1.0


def compare(document, earlier):
    """Rows {part, model, before, after, change, limit, memory_before, memory_after, verdict} of what both runs have of Mote."""
    now, then = report.summarize(document["cells"]), report.summarize(earlier["cells"])
    rows = []
    for part, models in now.items():
        for model, row in models.items():
            new, old = row.get("mote"), then.get(part, {}).get(model, {}).get("mote")
            if not new or not old or "failed" in old:
                continue
            if "failed" in new:
                rows.append({"part": part, "model": model, "verdict": f"fails: {new['failed']}", "before": old["median"]})
                continue
            change = new["median"] / old["median"] / pace(row, then[part][model], document["engines"], earlier["engines"])
            limit = 1 + max(NOISE, spread(new), spread(old))
            # The least of all runs is harder to disturb: a regression shows there too.
            slower = change > limit and new["least"] > old["least"]
            fatter = new["added"] > old["added"] * (1 + MEMORY_NOISE) + MEMORY_MB
            verdict = "slower" if slower else "more memory" if fatter else "faster" if change < 2 - limit else "same"
            rows.append({"part": part, "model": model, "before": old["median"], "after": new["median"], "change": change, "limit": limit,
                         "memory_before": old["added"], "memory_after": new["added"], "verdict": verdict})
    return rows


def regressions(rows):
    return [row for row in rows if row["verdict"] in ("slower", "more memory") or row["verdict"].startswith("fails")]


def text(rows):
    lines = [f"{'network':26s} {'precision':>9s} {'threads':>7s} {'before':>9s} {'after':>9s} {'change':>7s} {'noise':>6s} {'MB before':>9s} {'after':>7s}  verdict"]
    for row in rows:
        precision, threads = row["part"]
        if "after" not in row:
            lines.append(f"{row['model']:26s} {precision:>9s} {threads:7d} {row['before']:9.3f} {'':42s}  {row['verdict']}")
            continue
        lines.append(f"{row['model']:26s} {precision:>9s} {threads:7d} {row['before']:9.3f} {row['after']:9.3f} {row['change']:6.2f}x {row['limit'] - 1:5.0%} "
                     f"{row['memory_before']:9.1f} {row['memory_after']:7.1f}  {row['verdict']}")
    return "\n".join(lines)
