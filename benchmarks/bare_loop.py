"""The floor for `bench_models`: the same calls, edits, commands and commits, by one process that judges nothing.

python benchmarks/bare_loop.py REPOSITORY URL COUNT
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai import OpenAI

WHO = {
    f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "A"), ("EMAIL", "a@b.c"))
}
ENV = {**os.environ, **WHO}


def git(repo: str, *args: str, **env: str) -> str:
    done = subprocess.run(["git", *args], cwd=repo, env={**ENV, **env}, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def task(repo: str, number: int, client: OpenAI) -> None:
    path = f"src/part_{number}.py"
    text = git(repo, "show", f"HEAD:{path}") + "\n"
    prompt = f"{path}:\n{text}\nSay LOUD in place of quiet. Answer with one SEARCH/REPLACE block."
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as base:
        git(repo, "--work-tree", folder, "checkout", "HEAD", "--", ".", GIT_INDEX_FILE=f"{folder}.index")
        red = base.submit(check, folder, number)  # on the base, while the model thinks
        said = client.chat.completions.create(model="bench-1", messages=[{"role": "user", "content": prompt}])
        assert red.result() != 0
        answer = said.choices[0].message.content or ""
        old, new = answer.split("<<<<<<< SEARCH\n")[1].split(">>>>>>> REPLACE")[0].split("=======\n")
        assert text.count(old) == 1
        (Path(folder) / path).write_text(text.replace(old, new), encoding="utf-8")
        assert check(folder, number) == 0
        index = {"GIT_INDEX_FILE": f"{folder}.index"}
        git(repo, "--work-tree", folder, "update-index", "--add", path, **index)
        commit = git(repo, "commit-tree", git(repo, "write-tree", **index), "-p", "HEAD", "-m", f"part {number}")
        git(repo, "update-ref", f"refs/heads/bare/{number}", commit)
        Path(f"{folder}.index").unlink()


def check(folder: str, number: int) -> int:
    return subprocess.run(["python3", "check.py", str(number)], cwd=folder, check=False, capture_output=True).returncode


def main(repo: str, url: str, count: str) -> None:
    from openai import OpenAI  # noqa: PLC0415 - what it costs belongs to the figure

    client = OpenAI(api_key="bench", base_url=url)
    with ThreadPoolExecutor(int(count)) as pool:
        for one in [pool.submit(task, repo, number, client) for number in range(int(count))]:
            one.result()


if __name__ == "__main__":
    main(*sys.argv[1:4])
