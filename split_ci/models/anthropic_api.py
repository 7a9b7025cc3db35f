"""The Messages API through the official SDK: prompts cached where they repeat, JSON by the API's own means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from split_ci.models.call import Attempts, Line, address, client, optional_tokens, sdk, tokens, within
from split_ci.models.row import NO_KEY, key_of, priced
from split_ci.ports import Reply, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.config import ModelConfig
    from split_ci.ports import Message, Request

URL = "https://api.anthropic.com"
CACHED = {"type": "ephemeral"}
STOPS: Mapping[str, Literal["length", "refusal"]] = {"max_tokens": "length", "refusal": "refusal"}


def make(config: ModelConfig, env: Mapping[str, str], root: str) -> Anthropic:  # noqa: ARG001 - the table's signature
    """The model of a row of the configuration. Raises UsageError: no key, no SDK, an address that may not be used."""
    return Anthropic(config, key_of(config, env))


class Anthropic:
    """A `ports.Model`. Safe between threads: they share one client."""

    recorded = False

    def __init__(self, config: ModelConfig, key: str) -> None:
        self.name = config.name
        self._config = config
        self._sdk = sdk("anthropic")
        self._attempts = Attempts()
        self._line = Line(config.name, address(config, URL), key, config.key or "")
        http = client(self._sdk, self._attempts)
        self._client = self._sdk.Anthropic(api_key=key or NO_KEY, base_url=self._line.url, http_client=http)
        self._client.auth_token = None  # the environment's, which was not asked for

    def ask(self, request: Request) -> Reply:
        more: dict[str, Any] = {}
        if request.schema is not None:
            more["output_config"] = {"format": {"type": "json_schema", "schema": dict(request.schema)}}

        def ask() -> Reply:
            return self._reply(self._client.messages.create(
                model=self._config.model, max_tokens=request.max_tokens, messages=_messages(request.messages),
                system=[{"type": "text", "text": request.system, "cache_control": CACHED}], timeout=request.seconds, **more,
            ))  # fmt: skip

        reply = within(request.seconds, self._line, self._sdk, self._attempts, ask)
        return reply._replace(usage=priced(reply.usage, self._config.price))

    def close(self) -> None:
        """Ends the connections that are kept for the next call."""
        self._client.close()

    def _reply(self, said: Any) -> Reply:  # noqa: ANN401 - the SDK's own type, or whatever a server sent
        if isinstance(said, str):
            raise ValueError(said)
        usage = said.usage
        fresh, made = tokens(usage, "input_tokens"), optional_tokens(usage, "cache_creation_input_tokens")
        cached = optional_tokens(usage, "cache_read_input_tokens")
        text = "".join(part.text for part in said.content or () if part.type == "text")
        return Reply(
            text, Usage(1, fresh + made + cached, cached, tokens(usage, "output_tokens")), str(said.model),
            STOPS.get(said.stop_reason, "end"),
        )  # fmt: skip


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The first message and the last are marked: what stands before them is the same in the next call."""
    made = []
    for number, message in enumerate(messages):
        part: dict[str, Any] = {"type": "text", "text": message.text or " "}
        if number in (0, len(messages) - 1):
            part["cache_control"] = CACHED
        made.append({"role": message.role, "content": [part]})
    return made
