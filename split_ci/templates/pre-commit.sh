#!/bin/sh
# Git's own pre-commit hook, for those who use neither pre-commit nor prek: proves specs and lessons as they are staged.
# It reads the index that git names in GIT_INDEX_FILE, and writes nothing. `git commit --no-verify` goes past it.

if ! command -v split-ci >/dev/null 2>&1; then
    echo 'pre-commit: split-ci is not on PATH, so no spec was proved' >&2
    echo '  next: put it on PATH (pip install . in a clone of it), or, this once: git commit --no-verify' >&2
    exit 1
fi

split-ci check --staged || exit
if ! git diff --cached --quiet --diff-filter=ACMRT -- '*/coaching/*.md'; then
    split-ci coach check --staged || exit
fi
