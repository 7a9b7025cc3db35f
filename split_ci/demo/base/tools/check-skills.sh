#!/bin/sh
# Every skill says its own name, has a description, and at most forty lines.
status=0
for file in skills/*/SKILL.md; do
  name=$(basename "$(dirname "$file")")
  grep -q "^name: $name\$" "$file" || { echo "$file: its name is not $name"; status=1; }
  grep -q "^description: ." "$file" || { echo "$file: no description"; status=1; }
  [ "$(wc -l < "$file")" -le 40 ] || { echo "$file: more than forty lines"; status=1; }
done
exit $status
