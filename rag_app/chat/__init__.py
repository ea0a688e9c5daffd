"""Answers in a conversation: the question as it was meant, what it rests on, and the text with its citations."""

from rag_app.chat.follow_up import FollowUps, Understood
from rag_app.chat.history import checked_history
from rag_app.chat.service import ChatService

__all__ = ["ChatService", "FollowUps", "Understood", "checked_history"]
