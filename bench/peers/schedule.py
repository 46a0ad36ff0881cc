"""In which order cells are measured, and what is left to do after an interruption. Standard library only.

A cell is one network by one engine, at a precision and a number of threads, in one round. The cells of a network, precision, thread count and
round are a group: its engines take turns, so that a slow spell hits all of them, and ratios are taken inside groups only. Rounds come first:
whatever is cut off, the rounds before it are whole.
"""
import json

GROUP = ("model", "digest", "threads", "precision", "round")


def groups(networks, engines, threads, precisions, rounds):
    """Yields lists of cells, the groups, in the order of measuring. `networks`: (name, digest); `engines`: {name: description}."""
    for number in range(rounds):
        for precision in precisions:
            for count in threads:
                for place, (name, digest) in enumerate(networks):
                    able = [e for e, about in engines.items() if precision in about["files"] and count in (about.get("threads") or [count])]
                    turn = (number + place) % len(able) if able else 0
                    group = [{"engine": engine, "version": engines[engine]["version"], "model": name, "digest": digest, "threads": count,
                              "precision": precision, "round": number} for engine in able[turn:] + able[:turn]]
                    if group:
                        yield group


def group_of(cell):
    return tuple(cell[key] for key in GROUP)


def name_of(cell):
    return (*group_of(cell), cell["engine"], cell["version"])


class State:
    """The cells measured so far: one line of JSON each, appended as they come, so that nothing is lost when the process is."""

    def __init__(self, path):
        self.path = path
        self.cells = []
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    self.cells.append(json.loads(line))
                except ValueError:
                    pass  # the last line, cut off

    def add(self, cell, result):
        self.cells.append({**cell, "result": result})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a") as file:
            file.write(json.dumps(self.cells[-1]) + "\n")

    def forget(self):
        self.cells = []
        self.path.unlink(missing_ok=True)

    def missing(self, wanted):
        """The groups that are not whole. All of such a group is measured again: a ratio between now and an hour ago is worth nothing."""
        done = {name_of(cell) for cell in self.cells}
        return [group for group in wanted if any(name_of(cell) not in done for cell in group)]

    def drop(self, group):
        """Forgets what an incomplete group has, before it is measured again."""
        keys = {group_of(cell) for cell in group}
        kept = [cell for cell in self.cells if group_of(cell) not in keys]
        if len(kept) != len(self.cells):
            self.cells = kept
            part = self.path.with_suffix(".part")
            part.write_text("".join(json.dumps(cell) + "\n" for cell in kept))
            part.replace(self.path)

    def failure(self, cell):
        """The result of this cell if it failed in an earlier round, else None: it is not tried again."""
        same = ("model", "digest", "threads", "precision", "engine", "version")
        for other in self.cells:
            if all(other[key] == cell[key] for key in same) and "failed" in other["result"]:
                return other["result"]
        return None

    def of(self, wanted):
        names = {name_of(cell) for group in wanted for cell in group}
        return [cell for cell in self.cells if name_of(cell) in names]
