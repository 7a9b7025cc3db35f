"""The chat completions API through the official SDK: OpenAI's own, and every compatible server by `base_url`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from split_ci.models.call import Attempts, Line, address, client, optional_tokens, sdk, tokens, within
from split_ci.models.row import NO_KEY, key_of, priced
from split_ci.ports import Reply, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.config import ModelConfig
    from split_ci.ports import Request

URL = "https://api.openai.com/v1"
STOPS: Mapping[str, Literal["length", "refusal"]] = {"length": "length", "content_filter": "refusal"}


def make(config: ModelConfig, env: Mapping[str, str], root: str) -> OpenAI:  # noqa: ARG001 - the table's signature
    """The model of a row of the configuration. Raises UsageError: no key, no SDK, an address that may not be used."""
    return OpenAI(config, key_of(config, env))


class OpenAI:
    """A `ports.Model`. Safe between threads: they share one client."""

    recorded = False

    def __init__(self, config: ModelConfig, key: str) -> None:
        self.name = config.name
        self._config = config
        self._sdk = sdk("openai")
        self._attempts = Attempts()
        self._line = Line(config.name, address(config, URL), key, config.key or "")
        http = client(self._sdk, self._attempts)
        self._client = self._sdk.OpenAI(api_key=key or NO_KEY, base_url=self._line.url, http_client=http)
        self._client.organization = self._client.project = None  # the environment's, which were not asked for

    def ask(self, request: Request) -> Reply:
        messages = [{"role": "system", "content": request.system}]
        messages += [{"role": m.role, "content": m.text} for m in request.messages]
        # compatible servers know the old word only
        more: dict[str, Any] = {"max_tokens" if self._config.base_url else "max_completion_tokens": request.max_tokens}
        if request.schema is not None:
            answer = {"name": "answer", "strict": True, "schema": dict(request.schema)}
            more["response_format"] = {"type": "json_schema", "json_schema": answer}

        def ask() -> Reply:
            return self._reply(self._client.chat.completions.create(
                model=self._config.model, messages=messages, timeout=request.seconds, **more
            ))  # fmt: skip

        reply = within(request.seconds, self._line, self._sdk, self._attempts, ask)
        return reply._replace(usage=priced(reply.usage, self._config.price))

    def close(self) -> None:
        """Ends the connections that are kept for the next call."""
        self._client.close()

    def _reply(self, said: Any) -> Reply:  # noqa: ANN401 - the SDK's own type, or whatever a server sent
        if isinstance(said, str) or not said.choices:
            raise ValueError(said if isinstance(said, str) else "no choice in it")
        usage, choice = said.usage, said.choices[0]
        whole = tokens(usage, "prompt_tokens")
        cached = min(whole, optional_tokens(getattr(usage, "prompt_tokens_details", None), "cached_tokens"))
        refusal = getattr(choice.message, "refusal", None)
        text = choice.message.content or refusal or ""
        return Reply(
            str(text), Usage(1, whole, cached, tokens(usage, "completion_tokens")), str(said.model),
            "refusal" if refusal else STOPS.get(choice.finish_reason, "end"),
        )  # fmt: skip
