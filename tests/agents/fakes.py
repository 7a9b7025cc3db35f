"""Executables that stand for the real agents: they ask their model as those do, over HTTP, do something to the checkout, and
print a recorded shape.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from split_ci import proc
from split_ci.agents import ROWS
from tests.agents.real import MODEL
from tests.agents.shapes import SHAPES

if TYPE_CHECKING:
    from pathlib import Path

DO = {
    "edit": "open('docs/app.md', 'w').write('new\\n')",
    "nothing": "",
    "new folder": "os.makedirs('docs'); open('docs/app.md', 'w').write('new\\n')",
    "elsewhere": "open('src/app.py', 'w').write('print(2)\\n')",
    "new file": "open('docs/app.md', 'w').write('new\\n'); open('NOTES.md', 'w').write('x')",
    "droppings": "open('docs/app.md', 'w').write('new\\n'); os.makedirs('x/__pycache__'); open('x/__pycache__/a.pyc', 'w').write('x');"
    " open('a.log', 'w').write('x'); open('.aider.chat.md', 'w').write('x')",
    "symlink": "os.unlink('docs/app.md'); os.symlink('/etc/passwd', 'docs/app.md')",
    "linked folder": "shutil.rmtree('docs'); os.symlink('/etc', 'docs')",
    "fifo": "os.unlink('docs/app.md'); os.mkfifo('docs/app.md')",
    "huge": "open('docs/app.md', 'w').truncate(40 << 20)",
    "executable": "open('docs/app.md', 'w').write('new\\n'); os.chmod('docs/app.md', 0o755)",
    "delete": "os.unlink('docs/app.md')",
    "many": "[open(f'docs/{n}', 'w').close() for n in range(500)]",
    "repository": "os.makedirs('sub'); subprocess.run(['git', 'init', '-q', 'sub']); open('sub/a', 'w').write('x');"
    " subprocess.run('cd sub && git add . && git commit -qm x', shell=True)",
    "commit": "open('docs/app.md', 'w').write('new\\n'); subprocess.run('git add -A && git commit -qm mine && git checkout -q -b other', shell=True)",
    "git folder": "open('docs/app.md', 'w').write('new\\n'); shutil.rmtree('.git'); os.mkdir('.git');"
    " open('.git/config', 'w').write('[core]\\n\\tfsmonitor = /tmp/evil\\n')",
    "attributes": "open('docs/app.md', 'w').write('new\\n'); open('.git/info/attributes', 'w').write('* filter=x\\n');"
    " subprocess.run(['git', 'config', 'filter.x.clean', 'touch /tmp/evil; cat'])",
    "child": "open('docs/app.md', 'w').write('new\\n'); subprocess.Popen(['sleep', '987654'], start_new_session=True)",
    "hang": "time.sleep(1000)",
    "look": "open('docs/app.md', 'w').write(json.dumps({'env': dict(os.environ), 'argv': sys.argv, 'stdin': sys.stdin.read(),"
    " 'remotes': subprocess.run(['git', 'log', '--all', '--format=%s'], capture_output=True, text=True).stdout,"
    " 'home': sorted(os.listdir(os.path.expanduser('~')))}))",
    "flood": "[sys.stderr.write('x' * 65536) for _ in range(2000)]",
    "refs": "open('docs/app.md', 'w').write('new\\n'); subprocess.run(['git', '-C', USER, 'branch', 'planted'])",
    "crash": "open('docs/app.md', 'w').write('new\\n'); sys.stdout.flush(); os.kill(os.getpid(), 9)",
}

SCRIPT = """\
#!{python} -IS
import json, os, shutil, subprocess, sys, time, urllib.error, urllib.request
NAME, MODEL, ASKS, CODE, USER = {name!r}, {model!r}, {asks}, {code}, {user!r}
if sys.argv[1:] == ["--version"]:
    print("fake 9.8.7"); sys.exit()
env = os.environ
if NAME == "codex":
    said = next(word for word in sys.argv if "base_url=" in word)
    base, key, route = said.partition('base_url="')[2].partition('"')[0], env["SPLIT_KEY"], "responses"
elif NAME == "opencode":
    options = json.loads(env["OPENCODE_CONFIG_CONTENT"])["provider"]["split"]["options"]
    base, key, route = options["baseURL"], options["apiKey"], "chat/completions"
elif NAME == "claude":
    base, key, route = env["ANTHROPIC_BASE_URL"] + "/v1", env["ANTHROPIC_API_KEY"], "messages"
else:
    base = env["OPENAI_HOST"] + "/v1" if NAME == "goose" else env["OPENAI_API_BASE"]
    key, route = env["OPENAI_API_KEY"], "chat/completions"
for number in range(ASKS):
    body = json.dumps({{"model": MODEL, "messages": [], "input": [], "tools": [], "stream": number % 2 == 1,
                       "stream_options": {{"include_usage": True}}}}).encode()
    name = "x-api-key" if NAME == "claude" else "Authorization"
    headers = {{"Content-Type": "application/json", name: key if NAME == "claude" else "Bearer " + key}}
    try:
        urllib.request.urlopen(urllib.request.Request(base + "/" + route, body, headers)).read()
    except urllib.error.HTTPError as error:
        if error.code == 402 and ASKS < 1000:
            break
{do}
if NAME == "codex":
    folder = os.path.dirname(sys.argv[sys.argv.index("-o") + 1])
elif NAME == "mini-swe-agent":
    folder = os.path.dirname(sys.argv[sys.argv.index("-o") + 1])
elif NAME == "aider":
    folder = os.path.dirname(sys.argv[sys.argv.index("--analytics-log") + 1])
for name, text in json.loads({files!r}).items():
    open(os.path.join(folder, name), "w").write(text)
sys.stdout.write({stdout!r})
sys.exit(CODE)
"""


def install(folder: Path, name: str, mood: str = "success", do: str = "edit", *, asks: int = 2, user: str = "") -> Path:
    """Puts a fake of an agent into a folder, to be put on PATH."""
    shape = SHAPES[name][mood]
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / ROWS[name].program
    program.write_text(
        SCRIPT.format(
            python=proc.python(),
            name=name,
            model=MODEL,
            asks=asks,
            code=shape.code,
            do=DO[do],
            files=json.dumps(dict(shape.files)),
            stdout=shape.stdout,
            user=user,
        )
    )
    program.chmod(0o755)
    return program
