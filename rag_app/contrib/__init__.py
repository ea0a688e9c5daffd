"""What fits rag_app into frameworks, each in its extra."""
