"""What is protected: paths that decide what runs, who may merge, and what an agent is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

AGENTS = (  # what coding agents read as instructions or run as hooks
    "**/AGENTS.md", "**/AGENTS.override.md", "**/AGENT.md", "**/CLAUDE.md", "**/CLAUDE.local.md", "**/GEMINI.md",
    "**/QWEN.md", "**/CRUSH.md", "**/CONVENTIONS.md", "**/WARP.md", "**/JULES.md", "**/.mcp.json", "**/mcp.json",
    "**/.goosehints", "**/.cursorrules", "**/.cursorignore", "**/.clinerules", "**/.windsurfrules", "**/.roorules",
    "**/.roomodes", "**/.rules", "**/.aider*", "**/opencode.json", "**/opencode.jsonc", "**/.claude/**",
    "**/.codex/**", "**/.agents/**", "**/.agent/**", "**/.gemini/**", "**/.qwen/**", "**/.goose/**",
    "**/.opencode/**", "**/.cursor/**", "**/.clinerules/**", "**/.cline/**", "**/.roo/**", "**/.windsurf/**",
    "**/.continue/**", "**/.kilocode/**", "**/.amazonq/**", "**/.kiro/**", "**/.augment/**", "**/.augment-guidelines",
    "**/.junie/**", "**/.trae/**", "**/.crush/**", "**/.openhands/**", "**/.serena/**", "**/.devin/**",
    "**/.specify/**", "**/.aiassistant/**", "**/.factory/**", "**/.amp/**",
)  # fmt: skip
FORGES = (  # what a forge or a service runs
    ".github/**", ".gitlab/**", ".gitlab-ci.yml", ".gitea/**", ".forgejo/**", ".circleci/**", ".buildkite/**",
    ".travis.yml", ".drone.yml", ".woodpecker.yml", ".woodpecker/**", ".teamcity/**", ".semaphore/**", ".cirrus.yml",
    ".appveyor.yml", "appveyor.yml", "azure-pipelines.yml", ".azure-pipelines/**", "bitbucket-pipelines.yml",
    "**/Jenkinsfile", "cloudbuild.yaml", "**/CODEOWNERS", ".readthedocs.yml", ".readthedocs.yaml", "renovate.json",
    "renovate.json5", ".renovaterc", ".renovaterc.json", "codecov.yml", ".codecov.yml", "netlify.toml", "vercel.json",
    "sonar-project.properties", "**/.zizmor.yml", "**/zizmor.yml", ".ci/**",
)  # fmt: skip
GIT = (  # what git itself obeys
    "**/.gitmodules", "**/.gitattributes", "**/.lfsconfig", "**/.mailmap", "**/.gitconfig",
    "**/.git-blame-ignore-revs",
)  # fmt: skip
HOOKS = (  # what runs at a commit
    "**/.pre-commit-config.yaml", "**/.pre-commit-config.yml", "**/.pre-commit-hooks.yaml", "**/prek.toml",
    "**/.husky/**", "**/.githooks/**", ".hooks/**", "**/lefthook.yml", "**/lefthook.yaml", "**/.lefthook.yml",
    "**/.lefthook.yaml", "**/lefthook.toml", "**/.lefthook/**", "**/.overcommit.yml", "**/.lintstagedrc*",
    "**/lint-staged.config.*", "**/commitlint.config.*", "**/.commitlintrc*",
)  # fmt: skip
EDITORS = (  # what an editor or a shell runs by itself
    "**/.vscode/**", "**/.idea/**", "**/.zed/**", "**/.fleet/**", "**/.nvim.lua", "**/.nvimrc", "**/.exrc",
    "**/.vimrc", "**/.dir-locals.el", "**/.devcontainer/**", "**/.devcontainer.json", "**/.envrc", "**/.env",
    "**/.env.*", "**/.direnv/**", "**/*.code-workspace", "**/.gitpod.yml",
)  # fmt: skip
BUILDS = (  # what builds, installs and tests run, and what the judges of style are told
    "**/pyproject.toml", "**/setup.py", "**/setup.cfg", "**/MANIFEST.in", "**/tox.ini", "**/tox.toml",
    "**/noxfile.py", "**/pytest.ini", "**/.pytest.ini", "**/pytest.toml", "**/.coveragerc", "**/mypy.ini",
    "**/.mypy.ini", "**/ruff.toml", "**/.ruff.toml", "**/.flake8", "**/.pylintrc", "**/pylintrc",
    "**/pyrightconfig.json", "**/.bandit", "**/pip.conf", "**/pip.ini", "**/.pip/**", "**/.pypirc", "**/uv.toml",
    "**/hatch.toml", "**/pdm.toml", "**/Pipfile", "**/environment.yml", "dodo.py", "tasks.py", "fabfile.py",
    "**/sitecustomize.py", "**/usercustomize.py", "**/*.pth", "conftest.py", "**/requirements*.txt",
    "requirements/**", "**/constraints*.txt", "**/.python-version", "**/package.json", "**/.npmrc", "**/.yarnrc",
    "**/.yarnrc.yml", "**/.yarn/**", "**/.pnpmfile.cjs", "**/pnpm-workspace.yaml", "**/bunfig.toml", "**/.nvmrc",
    "**/.node-version", "**/deno.json", "**/deno.jsonc", "**/tsconfig*.json", "**/lerna.json", "**/nx.json",
    "**/turbo.json", "**/.babelrc*", "**/babel.config.*", "**/webpack.config.*", "**/vite.config.*",
    "**/vitest.config.*", "**/rollup.config.*", "**/jest.config.*", "**/.mocharc*", "**/.eslintrc*",
    "**/eslint.config.*", "**/.prettierrc*", "**/prettier.config.*", "**/biome.json", "**/Gruntfile.*",
    "**/gulpfile.*", "**/Cargo.toml", "**/.cargo/**", "**/build.rs", "**/rust-toolchain", "**/rust-toolchain.toml",
    "**/clippy.toml", "**/go.mod", "**/go.work", "**/.golangci.*", "**/Gemfile", "**/*.gemspec", "**/Rakefile",
    "**/.rspec", "**/.ruby-version", "**/.rubocop.yml", "**/composer.json", "**/phpunit.xml*", "**/pom.xml",
    "**/.mvn/**", "**/mvnw", "**/mvnw.cmd", "**/gradlew", "**/gradlew.bat", "**/*.gradle", "**/*.gradle.kts",
    "**/gradle.properties", "**/gradle/wrapper/**", "**/build.sbt", "**/mix.exs", "**/Package.swift", "**/Podfile",
    "**/pubspec.yaml", "**/*.csproj", "**/*.sln", "**/*.props", "**/*.targets", "**/nuget.config", "**/Makefile",
    "**/GNUmakefile", "**/*.mk", "**/CMakeLists.txt", "**/*.cmake", "**/CMakePresets.json", "**/meson.build",
    "**/configure", "**/configure.ac", "**/Makefile.am", "**/Makefile.in", "**/BUILD", "**/BUILD.bazel",
    "**/WORKSPACE", "**/WORKSPACE.bazel", "**/MODULE.bazel", "**/.bazelrc", "**/justfile", "**/.justfile",
    "**/Taskfile.y*ml", "**/Earthfile", "**/Tiltfile", "**/Procfile", "**/Vagrantfile", "**/Dockerfile",
    "**/Dockerfile.*", "**/*.dockerfile", "**/Containerfile", "**/.dockerignore", "**/docker-compose*.y*ml",
    "**/compose.y*ml", "**/docker-bake.hcl", "**/flake.nix", "**/default.nix", "**/shell.nix", "**/mise.toml",
    "**/.mise.toml", "**/.tool-versions", "**/snapcraft.yaml", "**/dependabot.yml",
)  # fmt: skip
LOCKS = (  # what is installed
    "**/*.lock", "**/package-lock.json", "**/npm-shrinkwrap.json", "**/pnpm-lock.yaml", "**/bun.lockb", "**/uv.lock",
    "**/go.sum", "**/go.work.sum", "**/gradle.lockfile", "**/Package.resolved", "**/packages.lock.json",
    "**/cabal.project.freeze", "**/pylock*.toml",
)  # fmt: skip
PROTECTED: tuple[str, ...] = (*AGENTS, *FORGES, *GIT, *HOOKS, *EDITORS, *BUILDS, *LOCKS)


class Shapes:
    """Globs sorted by their shape, most being one look into a set: to compile them all costs more than a whole check."""

    def __init__(self, globs: Iterable[str]) -> None:
        self.roots: set[str] = set()
        self.names: set[str] = set()
        self.folders: set[str] = set()
        self.tops: list[str] = []
        self.endings: list[str] = []
        self.starts: list[tuple[str, str]] = []
        for glob in globs:
            self._add(glob.lower())

    def _add(self, glob: str) -> None:
        anywhere = glob.startswith("**/")
        rest = glob[3:] if anywhere else glob
        if rest.endswith("/**"):
            folder = rest[:-3]
            self.folders.add("/" + folder + "/") if anywhere else self.tops.append(folder + "/")
        elif "*" in rest:
            start, _, end = rest.partition("*")
            if start:
                self.starts.append((start, end))
            else:
                self.endings.append(end)
        elif anywhere:
            self.names.add(rest)
        else:
            self.roots.add(rest)

    def match(self, key: str) -> bool:
        """Whether any of them matches a folded path. A folder of the list is protected as a file too."""
        name = key.rpartition("/")[2]
        if name in self.names or key in self.roots or name.endswith(tuple(self.endings)):
            return True
        if any(name.startswith(start) and _ends(name[len(start) :], end) for start, end in self.starts):
            return True
        inside = f"/{key}/"
        return (key + "/").startswith(tuple(self.tops)) or any(f in inside for f in self.folders if f[1] in key)


def _ends(rest: str, end: str) -> bool:
    """Whether the rest of a name ends as a glob's part after its star does, where that part may hold another star."""
    middle, star, last = end.partition("*")
    if not star:
        return rest.endswith(end)
    at = rest.find(middle)
    return at >= 0 and rest[at + len(middle) :].endswith(last)
