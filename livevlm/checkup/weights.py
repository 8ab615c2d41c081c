"""Weights: whether the configured model is there."""

from __future__ import annotations

from livevlm.checkup.finding import Finding, fault, ok, warning
from livevlm.errors import ModelNotFound
from livevlm.models.present import describe


def look(name: str) -> list[Finding]:
    """name: as model.name. A name of the model hub may be fetched when the daemon starts; a folder may not."""
    try:
        return [ok("model", f"{name}: {describe(name)}")]
    except ModelNotFound as error:
        if name.count("/") == 1 and not name.startswith((".", "/", "~")):
            way_out = "it is fetched when the daemon starts, if the network lets it"
            return [warning("model", error.message, way_out)]
        return [fault("model", error.message, "see `livevlm models` for those that there are")]
