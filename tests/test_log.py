"""Logging: levels, the engine's log and its rotation, standard error of the engine and of its children."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from instrument import log
from instrument.errors import HocketError

ROOT = Path(__file__).resolve().parents[1]


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program in a process of its own, as logging and standard error belong to a process."""
    variables = {name: value for name, value in os.environ.items() if name != log.VARIABLE}
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**variables, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


SAY = """
import logging
from instrument import log
log.to_stderr()
for level in log.LEVELS:
    logging.getLogger("instrument.test").log(getattr(logging, level.upper()), "said")
"""


@pytest.mark.parametrize(
    ("chosen", "logged"),
    [("", ["WARNING", "ERROR"]), ("debug", ["DEBUG", "INFO", "WARNING", "ERROR"]), ("ERROR", ["ERROR"])],
)
def test_the_variable_chooses_what_is_logged(chosen: str, logged: list[str]) -> None:
    done = run(SAY, **{log.VARIABLE: chosen})
    assert done.stderr.splitlines() == [f"{level} instrument.test: said" for level in logged]


def test_a_chosen_level_reaches_child_processes() -> None:
    done = run(f"""
import subprocess, sys
from instrument import log
log.choose_level("INFO")
subprocess.run([sys.executable, "-c", {SAY!r}], check=True)
""")
    assert done.stderr.splitlines() == [f"{level} instrument.test: said" for level in ("INFO", "WARNING", "ERROR")]


def test_an_unknown_level_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(log.VARIABLE, "loud")
    wanted = "log level 'loud' is not known: choose one of debug, info, warning, error"
    for ask in (log.to_stderr, lambda: log.choose_level("loud"), lambda: log.to_file(Path("never"))):
        with pytest.raises(HocketError, match=f"^{wanted}$"):
            ask()
    assert not Path("never").exists()


def test_the_file_has_times_and_what_others_print(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    done = run(f"""
import logging, os, pathlib, warnings
from instrument import log
log.to_file(pathlib.Path({str(path)!r}))
logging.getLogger("instrument.test").info("a line")
logging.getLogger("instrument.test").debug("too much")
os.write(2, b"from a library\\n")
warnings.warn("mind this")
raise ValueError("nobody caught this")
""")
    assert done.stderr == ""
    text = path.read_text()
    assert " INFO instrument.test [MainThread]: a line\n" in text
    assert text.startswith("20"), "the date comes first"
    assert "too much" not in text
    assert "\nfrom a library\n" in text
    assert "mind this" in text
    assert text.endswith("ValueError: nobody caught this\n")


@pytest.mark.skipif(sys.platform == "win32", reason="ends itself by a signal")
def test_a_crash_leaves_its_traceback(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    done = run(f"""
import os, pathlib, signal
from instrument import log
log.to_file(pathlib.Path({str(path)!r}))
os.kill(os.getpid(), signal.SIGSEGV)
""")
    assert done.returncode != 0
    assert "Fatal Python error: Segmentation fault" in path.read_text()


def test_the_log_is_appended_to_and_rotated_with_standard_error(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_text("of the last time\n")
    run(f"""
import logging, os, pathlib
from instrument import log
log.MAX_BYTES = 2000
log.to_file(pathlib.Path({str(path)!r}))
for number in range(100):
    logging.getLogger("instrument.test").info("line %d %s", number, "." * 50)
    os.write(2, b"beside it %d\\n" % number)
""")
    kept = sorted(tmp_path.iterdir())
    assert [each.name for each in kept] == ["engine.log", "engine.log.1", "engine.log.2"]
    assert all(each.stat().st_size < 2200 for each in kept)
    latest = path.read_text()
    assert "line 99 " in latest
    assert latest.endswith("beside it 99\n")
    assert "beside it" in (tmp_path / "engine.log.1").read_text()


def test_the_last_log_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_text("of the last time\n")
    run(f"import pathlib\nfrom instrument import log\nlog.to_file(pathlib.Path({str(path)!r}))")
    assert path.read_text() == "of the last time\n"


def test_a_log_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "engine.log").mkdir()
    with pytest.raises(HocketError, match=r"^cannot write .*engine\.log: .*; set HOCKET_HOME to a writable folder$"):
        log.to_file(tmp_path / "engine.log")


def test_lines_of_a_child_keep_their_level(caplog: pytest.LogCaptureFixture) -> None:
    program = "import sys; sys.stderr.write('INFO a.b: loaded\\nTraceback\\n'); sys.stderr.flush()"
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    logger = logging.getLogger("instrument.test")
    with caplog.at_level("DEBUG"):
        log.copy_stderr(child, logger).join(30)
        child.wait(30)
    told = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == logger.name]
    assert told == [
        ("INFO", f"process {child.pid}: INFO a.b: loaded"),
        ("ERROR", f"process {child.pid}: Traceback"),
    ]


def test_what_runs_once_per_block_logs_only_that_it_failed() -> None:
    engine, io = ROOT / "instrument" / "engine", ROOT / "instrument" / "io"
    files = [*(engine / "sound").glob("*.py"), *(engine / "voices").glob("*.py")]
    files += [io / "audio" / "device.py", io / "midi" / "jack_child.py"]
    assert len(files) > 15
    lines = [(file.name, line) for file in files for line in file.read_text("utf-8").splitlines()]
    logged = [(name, line.strip()) for name, line in lines if re.search(r"\blogg(er|ing)\.[a-z]+\(", line)]
    assert [entry for entry in logged if not re.search(r"logger\.(exception|error)\(", entry[1])] == []
