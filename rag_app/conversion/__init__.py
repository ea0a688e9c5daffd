"""Web pages, Word and PDF documents to Markdown, in a process whose time and memory are limited."""

from rag_app.conversion.converter import Converter
from rag_app.conversion.formats import SUFFIXES, Converted

__all__ = ["SUFFIXES", "Converted", "Converter"]
