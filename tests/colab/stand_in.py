"""Every chapter as Google Colab runs it: `make colab`.

A clean environment gets the versions of Colab's image (packages.txt). Each chapter then lies alone
in an empty folder, and its set-up cell installs abplib from the repository's public address, which
git maps to a snapshot of this working tree. The outputs must agree with the committed ones, and the
image's own packages must stay as they were. Colab has Python 3.13; where none is found, another
from 3.11 on is taken and named.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
WORK = ROOT / ".colab"
PYTHON = WORK / "venv" / "bin" / "python"
TOOLS = ["nbval==0.11.0"]  # not in Colab: what compares
INSTALLED_BY_THE_CHAPTER = ["abplib", "av"]


def output(*command: str | Path, **options: object) -> str:
    """Run a command; return what it prints, or stop with what it said."""
    run = subprocess.run(command, text=True, capture_output=True, **options)  # type: ignore[call-overload]
    if run.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{run.stdout}{run.stderr}")
    return str(run.stdout)


def interpreter() -> str:
    """Return the Python to use: the one named by COLAB_PYTHON, or 3.13, or the newest other."""
    named = os.environ.get("COLAB_PYTHON")
    if named:
        return named
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob("3.13.*/bin/python"))
    for name in ("python3.13", *map(str, pyenv), "python3.12", "python3.11"):
        path = shutil.which(name)
        if path and not subprocess.run([path, "-c", ""], capture_output=True).returncode:
            return path
    return sys.executable


def make_environment() -> None:
    """Install the image's versions, once for one state of packages.txt."""
    base = interpreter()
    kind = output(base, "-V").strip()
    wanted = f"{kind}\n" + (HERE / "packages.txt").read_text(encoding="utf-8")
    stamp = WORK / "venv" / "packages.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(WORK / "venv", ignore_errors=True)
    print(f"setting up {kind} with {HERE.name}/packages.txt", flush=True)
    output(base, "-m", "venv", WORK / "venv")
    output(PYTHON, "-m", "pip", "install", "-q", "-r", HERE / "packages.txt", *TOOLS)
    stamp.write_text(wanted, encoding="utf-8")


def take_snapshot() -> Path:
    """Commit this working tree to a repository of its own, and return its folder."""
    repository = WORK / "repository"
    shutil.rmtree(repository, ignore_errors=True)
    listed = output("git", "ls-files", "-co", "--exclude-standard", "-z", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, repository / name)
    identity = ["-c", "user.name=snapshot", "-c", "user.email=snapshot@localhost"]
    output("git", "init", "-q", "-b", "main", cwd=repository)
    output("git", "config", "uploadpack.allowFilter", "true", cwd=repository)
    output("git", "add", "-A", cwd=repository)
    output("git", *identity, "commit", "-q", "-m", "snapshot", cwd=repository)
    return repository


def environment(repository: Path) -> dict[str, str]:
    """Return the kernel's surroundings: git maps the public address, widgets are live."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    dropped = {"ABPLIB_STATIC", "MPLBACKEND", "PYTHONPATH", "VIRTUAL_ENV"}
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return {
        **kept,
        "PATH": f"{PYTHON.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(WORK / "plugin"),  # the comparison alone, not this repository
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": settings["tool"]["book"]["repository"],
    }


def versions() -> dict[str, str]:
    """Return the installed packages and their versions."""
    lines = output(PYTHON, "-m", "pip", "list", "--format=freeze").splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line)


def run_chapter(chapter: Path, surroundings: dict[str, str]) -> list[str]:
    """Run one chapter alone in an empty folder; return what is wrong."""
    subprocess.run(
        [PYTHON, "-m", "pip", "uninstall", "-q", "-y", *INSTALLED_BY_THE_CHAPTER],
        capture_output=True,
    )
    before = versions()
    folder = WORK / "content"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy2(chapter, folder)
    command = [PYTHON, "-m", "pytest", "-q", "-p", "tolerance", "-p", "no:cacheprovider", "--nbval"]
    command += ["--nbval-sanitize-with", HERE.parent / "book" / "sanitize.cfg"]
    command += ["--nbval-cell-timeout", "300", "-W", "ignore", "--color=no", chapter.name]
    run = subprocess.run(command, cwd=folder, env=surroundings, text=True, capture_output=True)
    problems = [run.stdout[-6000:] + run.stderr[-2000:]] if run.returncode else []
    after = versions()
    if "abplib" not in after:
        problems.append("the set-up cell did not install abplib")
    for name, version in before.items():
        if after.get(name) != version:
            problems.append(f"{name} was {version}, and is {after.get(name)} after the chapter")
    return problems


def main(names: list[str]) -> int:
    """Run the chapters, all of `_toc.yml` or those named; return the number that failed."""
    WORK.mkdir(exist_ok=True)
    make_environment()
    (WORK / "plugin").mkdir(exist_ok=True)
    shutil.copy2(ROOT / "tests/book/tolerance.py", WORK / "plugin")
    image = versions()
    kind = output(PYTHON, "-V").strip()
    print(f"{kind}, torch {image['torch']}, numpy {image['numpy']}", flush=True)
    surroundings = environment(take_snapshot())
    listed = output(sys.executable, ROOT / "book/_tools/notebooks.py").split()
    chapters = [ROOT / name for name in names or listed]
    failed = 0
    for number, chapter in enumerate(chapters, start=1):
        problems = run_chapter(chapter, surroundings)
        print(f"[{number}/{len(chapters)}] {chapter.stem:<24} {'FAILED' if problems else 'ok'}")
        print("\n".join(problems), end="\n" if problems else "", flush=True)
        failed += bool(problems)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
