"""Hub: whether the hub that models are fetched from can be reached.

Asked once, before anything is fetched: its own library tries each file again and again, which takes half a minute.
"""

from __future__ import annotations

import os
import ssl
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from streams import redact

USUAL = "https://huggingface.co"
PATIENCE_S = 5.0
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_YES = ("1", "ON", "YES", "TRUE")


def why_away() -> str | None:
    """Why nothing can be fetched from the hub, in words without credentials; None where it answers, whatever it says.

    Takes PATIENCE_S at most once its name is known. Proxies are heeded as urllib does.
    """
    for name in _OFFLINE:
        if os.environ.get(name, "").upper() in _YES:
            return f"{name} is set"
    address = os.environ.get("HF_ENDPOINT") or USUAL
    try:
        parts = urlsplit(address)
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        urlopen(Request(bare, method="HEAD"), timeout=PATIENCE_S).close()
    except HTTPError:
        return None
    except OSError as error:
        reason = error.reason if isinstance(error, URLError) else error
        # Its own library may trust other certificates.
        return None if isinstance(reason, ssl.SSLError) else _told(address, reason)
    except (HTTPException, ValueError):
        return None  # What is wrong with such an address its own library tells best.
    return None


def not_here(model: str, away: str) -> str:
    """What to say of a hub model that is not on this machine and cannot be fetched."""
    return (
        f"the model {model} is not, or not all of it, on this machine, and cannot be fetched: {away}. Fetch it where there is a"
        f" network (hf download {model} --local-dir MODEL) and name that folder (--model ./MODEL); a copy of the hub's cache is"
        " found by HF_HOME, a mirror of the hub by HF_ENDPOINT"
    )


def _told(address: str, reason: object) -> str:
    told = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return redact(f"the hub {address} cannot be reached ({told})")
