"""Every #include against layers.toml: a folder of src/ includes only lower folders; core folders use the standard library alone."""
import re
import tomllib

import sources

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


class Rules:
    def __init__(self, path="layers.toml"):
        with open(path, "rb") as f:
            data = tomllib.load(f)
        self.levels = data["levels"]
        self.outside = data["outside"]["folders"]
        self.third_party = data.get("third_party", {})
        self.allowed = data.get("allow", [])
        self.used = set()

    def allows(self, source, target):
        for i, edge in enumerate(self.allowed):
            if (source + "/").startswith(edge["from"] + "/") and (target + "/").startswith(edge["to"] + "/"):
                self.used.add(i)
                return True
        return False

    def is_third_party_allowed(self, folder, header):
        rows = self.third_party.get("*", []) + self.third_party.get(folder, [])
        return any(header == row or (row.endswith("/") and header.startswith(row)) for row in rows)


def is_standard(header):
    return re.fullmatch(r"[a-z_0-9]+", header) is not None


def check_source(rules, path, quoted, header):
    """What is wrong with an #include in a file of src/, or None."""
    folder = path.split("/")[1]
    is_test = re.search(r"_(test|bench)\.cc$|testing/|(^|[/_])testing\.h$", path)
    if header.startswith("mote/"):
        return None
    if not quoted:
        if is_standard(header) or (is_test and header.startswith(("gtest/", "gmock/", "benchmark/"))):
            return None
        if rules.is_third_party_allowed(folder, header) or (is_test and rules.is_third_party_allowed("base", header)):
            return None
        return f"<{header}>: {folder} may not use it; layers.toml lists third-party headers by folder"
    target = header.split("/")[0]
    if "/" not in header or target not in rules.levels:
        return f'"{header}": write the path from src/'
    if target == folder or rules.levels[target] < rules.levels[folder]:
        return None
    if rules.allows(path[len("src/"):], header):
        return None
    return f'"{header}": {folder} (level {rules.levels[folder]}) may not include {target} (level {rules.levels[target]})'


def run(flags):
    rules, findings = Rules(), []
    for path in sources.cpp() + [f for f in sources.tracked() if f.endswith(".inc")]:
        parts = path.split("/")
        in_src, public = parts[0] == "src", path.startswith("include/mote/")
        if not (in_src or public or parts[0] in rules.outside):
            continue
        if in_src and len(parts) > 2 and parts[1] not in rules.levels:
            findings.append(f"{path}: folder {parts[1]} has no level in layers.toml")
            continue
        for number, line in enumerate(open(path, encoding="utf-8", errors="replace"), 1):
            m = INCLUDE.match(line)
            if not m:
                continue
            quoted, header, problem = m[1] == '"', m[2], None
            if in_src:
                problem = check_source(rules, path, quoted, header)
            elif public and not (header.startswith("mote/") or (not quoted and (is_standard(header) or header.startswith("std")))):
                problem = f"{m[1]}{header}: a public header uses include/mote and the standard library alone"
            elif not public and quoted and header.split("/")[0] in rules.levels and not rules.allows(path, header):
                problem = f'"{header}": {parts[0]} includes only include/mote'
            if problem:
                findings.append(f"{path}:{number}: {problem}")
    for i, edge in enumerate(rules.allowed):
        if not edge.get("why"):
            findings.append(f"layers.toml: the edge {edge['from']} -> {edge['to']} has no reason")
        if i not in rules.used:
            findings.append(f"layers.toml: nothing uses the edge {edge['from']} -> {edge['to']}")
    return findings
