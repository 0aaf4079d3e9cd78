"""A terminal of tmux with `mapengine top` in it."""
import os
import re
import subprocess
import tempfile

from hosts import PROGRAM, WORK, until


class Terminal:
    """A terminal of tmux with the program in it."""

    def __init__(self, *words, columns=110, rows=32, **variables):
        self.folder = tempfile.TemporaryDirectory(dir=WORK)
        self.variables = {name: value for name, value in os.environ.items() if name not in ("TMUX", "NO_COLOR")}
        self.variables.update(TMUX_TMPDIR=self.folder.name, LC_ALL="C.UTF-8", TERM="xterm-256color")
        settings = [f"{name}={value}" for name, value in variables.items()]
        # The shell tells how it has ended, and stays until it is read.
        command = " ".join(["env", *settings, PROGRAM, "top", *words]) + "; echo ended with $?; cat"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), command)

    def tmux(self, *words):
        return subprocess.run(["tmux", "-L", "top", *words], env=self.variables, check=True, capture_output=True, text=True, timeout=60).stdout

    def text(self, *words):
        return self.tmux("capture-pane", "-p", *words)

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def shows(self, pattern, *words):
        """What is on the screen, once the pattern is there."""
        def found():
            text = self.text(*words)
            return text if re.search(pattern, text, re.M | re.S) else None

        try:
            return until(found, pattern)
        except AssertionError as error:
            raise AssertionError(f"{error}; there is\n{self.text()}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server")
        self.folder.cleanup()
