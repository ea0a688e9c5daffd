"""What can be changed while every process runs: typed flags with a time to live, a history and a share of the users."""

from rag_app.flags.definitions import FLAGS, FlagDefinition
from rag_app.flags.memory_store import MemoryFlagStore
from rag_app.flags.postgres_store import PostgresFlagStore
from rag_app.flags.redis_store import RedisFlagStore
from rag_app.flags.rollout import in_rollout
from rag_app.flags.rules import Evaluation
from rag_app.flags.service import FlagService
from rag_app.flags.store import FlagChange, FlagStore, StoredFlag

__all__ = [
    "FLAGS",
    "Evaluation",
    "FlagChange",
    "FlagDefinition",
    "FlagService",
    "FlagStore",
    "MemoryFlagStore",
    "PostgresFlagStore",
    "RedisFlagStore",
    "StoredFlag",
    "in_rollout",
]
