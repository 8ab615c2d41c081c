"""Open: the source behind an address."""

from __future__ import annotations

from streams.address import parse_address
from streams.container import ContainerSource
from streams.folder import FolderSource
from streams.source import Source, SourceOptions
from streams.synthetic import SyntheticSource


def open_source(url: str, *, name: str, options: SourceOptions | None = None) -> Source:
    """The source behind an address, not yet opened: entering it opens it. AddressUnsupported where none can be."""
    address = parse_address(url)
    options = options or SourceOptions()
    if address.kind == "test":
        return SyntheticSource(address, name=name, options=options)
    if address.kind == "folder":
        return FolderSource(address, name=name, options=options)
    return ContainerSource(address, name=name, options=options)
