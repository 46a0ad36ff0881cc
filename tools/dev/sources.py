"""The files of the project, for the checks: what git tracks, or everything outside build/ where git cannot say."""
import os
import subprocess


def git(*arguments):
    """The lines git prints, or None where it cannot answer (no git, no repository)."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.splitlines() if done.returncode == 0 else None


def tracked():
    files = git("ls-files", "--cached", "--others", "--exclude-standard")
    if files is None:
        files = []
        for folder, folders, names in os.walk("."):
            folders[:] = [d for d in folders if d not in (".git", "build", ".cache", "__pycache__")]
            files += [os.path.relpath(os.path.join(folder, n), ".") for n in names]
    return sorted(f for f in set(files) if os.path.isfile(f))


def cpp():
    return [f for f in tracked() if f.endswith((".cc", ".h", ".c"))]


def changed():
    """Files that differ from the main branch; on the main branch itself, from the commit before."""
    head = git("rev-parse", "HEAD")
    if not head:
        return tracked()
    base = None
    for branch in ("origin/main", "origin/HEAD", "main"):
        found = git("merge-base", "HEAD", branch)
        if found and found != head:
            base = found[0]
            break
    base = base or ((git("rev-parse", "--verify", "-q", "HEAD~1") or [None])[0])
    files = set(git("diff", "--name-only", base) or []) if base else set(tracked())
    files |= set(git("ls-files", "--others", "--exclude-standard") or [])
    return sorted(f for f in files if os.path.isfile(f))
