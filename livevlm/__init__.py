"""LiveVLM daemon: watches live video, remembers it, and answers questions about any of it.

    import livevlm

    async with livevlm.connect("127.0.0.1:8765") as client:
        answer = await client.ask("what is on the table?", stream="front", last="2h")

What this package offers stands in docs/client.md, and for type checkers in `__init__.pyi`. It is imported when it is first
asked for: importing the package costs nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "Answer": "messages",
    "AnswerChunk": "messages",
    "AskOptions": "service.options",
    "Client": "client",
    "Evidence": "messages",
    "LiveVLMError": "errors",
    "NotAdmitted": "client",
    "Queued": "messages",
    "Recalled": "messages",
    "Reply": "client",
    "Retry": "client",
    "SyncClient": "client.sync",
    "TimeRange": "messages",
    "WatchEvent": "watching.watch",
    "Watching": "client",
    "Webhook": "watching.watch",
    "connect": "client",
    "connect_sync": "client.sync",
    "local": "client.twin",
    "local_sync": "client.twin",
}
_MODULES = ("client", "errors")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"livevlm.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'livevlm' has no attribute {name!r}")
    value = getattr(import_module(f"livevlm.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
