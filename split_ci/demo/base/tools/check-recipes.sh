#!/bin/sh
# Every skill that a recipe names must be there.
status=0
for recipe in recipes/*.yaml; do
  for skill in $(sed -n 's/^  - //p' "$recipe"); do
    if [ ! -f "skills/$skill/SKILL.md" ]; then
      echo "$recipe: no such skill: $skill"
      status=1
    fi
  done
done
exit $status
