"""What keeps retrieval from working well on this machine, and what to do about it."""

from rag_app.doctor.examination import examine
from rag_app.doctor.findings import TROUBLESHOOTING, Check

__all__ = ["TROUBLESHOOTING", "Check", "examine"]
