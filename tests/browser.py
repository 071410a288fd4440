"""A page looked at with a browser that shows nothing (Chromium)."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ANSWER = re.compile(r'<pre id="answer">(.*?)</pre>', re.DOTALL)


def find_browser() -> str:
    """Give the program; without it the test is skipped, but fails where all tests must run."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        message = f"none of {', '.join(_NAMES)} is installed"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return found


def look_at(page: str, question: str, folder: Path) -> tuple[Any, list[str]]:
    """Open a page offline, run a function in it once it is loaded, and give what that returns.

    Parameters
    ----------
    page
        HTML.
    question
        Body of an asynchronous JavaScript function.
    folder
        For the page and the profile of the browser.

    Returns
    -------
    answer, complaints
        What the function returns, and the errors that the browser wrote to its console.
    """
    script = f"""<script>addEventListener("load", async () => {{
      let answer;
      try {{ answer = await (async () => {{ {question} }})(); }}
      catch (error) {{ answer = String(error); }}
      const element = document.createElement("pre");
      element.id = "answer";
      element.textContent = btoa(encodeURIComponent(JSON.stringify(answer)));
      document.body.append(element);
    }});</script>"""
    path = folder / "looked_at.html"
    head, tag, rest = page.rpartition("</body>")
    path.write_text(f"{head}{script}{tag}{rest}", encoding="utf-8")
    done = subprocess.run(
        [
            find_browser(), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
            "--disable-dev-shm-usage", "--enable-logging=stderr", "--virtual-time-budget=10000",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
            path.as_uri(),
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    found = _ANSWER.search(done.stdout)
    assert found is not None, done.stderr[-3000:]
    lines = re.findall(r"CONSOLE[^\]]*\] (.*)", done.stderr)
    complaints = [line for line in lines if re.search("uncaught|error|failed|refused", line, re.I)]
    return json.loads(unquote(base64.b64decode(found[1]).decode())), complaints
