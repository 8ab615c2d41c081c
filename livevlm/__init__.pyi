from livevlm import client as client
from livevlm import errors as errors
from livevlm.client import Client as Client
from livevlm.client import NotAdmitted as NotAdmitted
from livevlm.client import Reply as Reply
from livevlm.client import Retry as Retry
from livevlm.client import Watching as Watching
from livevlm.client import connect as connect
from livevlm.client.sync import SyncClient as SyncClient
from livevlm.client.sync import connect_sync as connect_sync
from livevlm.client.twin import local as local
from livevlm.client.twin import local_sync as local_sync
from livevlm.errors import LiveVLMError as LiveVLMError
from livevlm.messages import Answer as Answer
from livevlm.messages import AnswerChunk as AnswerChunk
from livevlm.messages import Evidence as Evidence
from livevlm.messages import Queued as Queued
from livevlm.messages import Recalled as Recalled
from livevlm.messages import TimeRange as TimeRange
from livevlm.service.options import AskOptions as AskOptions
from livevlm.watching.watch import WatchEvent as WatchEvent
from livevlm.watching.watch import Webhook as Webhook

__version__: str
