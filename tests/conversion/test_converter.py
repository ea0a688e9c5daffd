import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from rag_app.conversion import Converter
from rag_app.errors import ReadError
from tests.conversion.files import DATA, docx, paragraph

SLOW = docx(paragraph("متن") * 400_000)


def test_a_file_that_takes_too_long_is_refused_and_the_next_is_read() -> None:
    with Converter(time_limit_s=1) as converter:
        started = time.monotonic()
        with pytest.raises(ReadError, match=r"^converting the file took longer than 1 s$"):
            converter.convert(".docx", SLOW, max_mb=20)
        assert time.monotonic() - started < 10
        converter._time_limit_s = 60  # the next may have to wait for the processor
        assert converter.convert(".html", "<p>متن".encode(), max_mb=1).text == "متن"


def test_a_small_file_that_takes_long_is_refused_by_its_size_and_a_large_one_is_read() -> None:
    begin = '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'  # those before are looked through for each
    fields = docx(f"<w:p>{begin * 20_000}</w:p>")
    with Converter() as converter:
        with pytest.raises(ReadError) as caught:
            converter.convert(".docx", fields, max_mb=20)
        reason = r"^converting the file took longer than (.*) s of the processor, which .* one of (.*) MB takes$"
        told = re.search(reason, str(caught.value))
        assert told is not None
        limit, size = told.groups()
        assert float(limit) < 2.5
        assert float(size) == pytest.approx(len(fields) / 1e6, rel=0.1)
        page = "<p>متن".encode() * 100_000  # it may take 10 s, and takes some three
        assert converter.convert(".html", page, max_mb=20).text.count("متن") == 100_000


def test_a_file_that_waits_for_the_processor_is_not_refused() -> None:
    page = b"<p>a" * 20_000
    assert len(page) * 10 / 1e6 + 1.5 < 3
    with Converter() as converter:
        converter.convert(".html", b"<p>a", max_mb=1)
        assert converter._process is not None
        pid = converter._process.pid
        threading.Timer(0.1, os.kill, (pid, signal.SIGSTOP)).start()
        threading.Timer(3.2, os.kill, (pid, signal.SIGCONT)).start()
        assert converter.convert(".html", page, max_mb=1).text.count("a") == 20_000


def test_a_file_that_takes_too_much_memory_is_refused_and_the_next_is_read() -> None:
    with Converter(memory_mb=300) as converter:
        with pytest.raises(ReadError, match=r"more than 300 MB of memory$|lack of memory"):
            converter.convert(".docx", SLOW, max_mb=20)
        assert converter.convert(".html", "<p>متن".encode(), max_mb=1).text == "متن"


def test_a_crash_is_told_and_the_next_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash = f"import os, signal\nos.kill(os.getpid(), signal.{signal.SIGSEGV.name})\n"
    (tmp_path / "mammoth.py").write_text(crash)
    monkeypatch.syspath_prepend(tmp_path)
    with Converter() as converter:
        with pytest.raises(ReadError, match="SIGSEGV"):
            converter.convert(".docx", docx(), max_mb=1)
        assert converter.convert(".html", "<p>متن".encode(), max_mb=1).text == "متن"


@pytest.mark.parametrize(("package", "suffix"), [("bs4", ".html"), ("mammoth", ".docx"), ("pdfminer", ".pdf")])
def test_without_its_packages_a_file_is_refused_with_the_line_that_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, suffix: str
) -> None:
    (tmp_path / f"{package}.py").write_text("raise ImportError('not installed')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with Converter() as converter, pytest.raises(ReadError) as caught:
        converter.convert(suffix, b"", max_mb=1)
    assert str(caught.value) == f"{suffix} files need more packages: pip install 'rag-app[readers]' (not installed)"


def test_text_much_larger_than_the_largest_file_is_refused() -> None:
    with Converter() as converter, pytest.raises(ReadError, match=r"more than 0\.01 MB"):
        converter.convert(".html", b"<p>" + b"a " * 10_000, max_mb=0.001)


def test_no_process_is_left_behind() -> None:
    with Converter() as converter:
        converter.convert(".pdf", (DATA / "chromium.pdf").read_bytes(), max_mb=1)
        assert converter._process is not None
        pid = converter._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_that_was_ended_between_two_files_or_during_one_is_replaced() -> None:
    page = b"<p>" + b"a " * 3_000_000
    with Converter() as converter:
        for signal_number in (signal.SIGKILL, signal.SIGSTOP):
            assert converter.convert(".html", b"<p>a", max_mb=1).text == "a"
            assert converter._process is not None
            os.kill(converter._process.pid, signal_number)
            if signal_number == signal.SIGSTOP:  # it reads nothing, and is killed while it is written to
                threading.Timer(0.5, converter._process.kill).start()
                with pytest.raises(ReadError, match="SIGKILL"):
                    converter.convert(".html", page, max_mb=20)
            else:
                time.sleep(0.2)
        assert converter.convert(".html", b"<p>a", max_mb=1).text == "a"
