"""Words and names that do not belong: paths of one machine, unfinished work, file names of another style, files too long."""
import re

import sources

TEXT = (".cc", ".h", ".c", ".inc", ".py", ".sh", ".md", ".toml", ".cmake", ".txt", ".json", ".case", ".ir")
RULES = [
    (re.compile(r"(?<![\w.~$}])/(?:home|root|work|Users|mnt)/\w"), "a path of one machine"),
    (re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b"), "unfinished work"),
    (re.compile(r"https?://[a-z.]*(?:pypi|pythonhosted|crates|npmjs|maven)\b"), "the address of a package registry"),
]
MAX_LINES = 800
LONG_FILES_ALLOWED = ()  # paths, each with its reason in the file's first comment


def run(flags):
    findings = []
    for path in sources.tracked():
        name = path.rsplit("/", 1)[-1]
        if path.startswith(("src/", "include/", "apps/")) and not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9]+)*|CMakeLists\.txt", name):
            findings.append(f"{path}: file names are snake_case")
        if not (path.endswith(TEXT) or path in ("dev", ".ci/run")) or path == "tools/dev/check_names.py":
            continue
        lines = open(path, encoding="utf-8", errors="replace").read().splitlines()
        if path.endswith((".cc", ".h", ".py", ".sh")) and len(lines) > MAX_LINES and path not in LONG_FILES_ALLOWED:
            findings.append(f"{path}: {len(lines)} lines; past {MAX_LINES} a file needs a reason")
        for number, line in enumerate(lines, 1):
            findings += [f"{path}:{number}: {what}: {line.strip()[:100]}" for rule, what in RULES if rule.search(line)]
    return findings
