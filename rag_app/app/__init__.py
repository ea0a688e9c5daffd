"""The application of one process.

::

    application ──▶ documents, answers ──▶ opened
       RagApp          its calls            its parts
"""

from rag_app.app.application import RagApp

__all__ = ["RagApp"]
