"""Clears up after a process that was killed."""

import subprocess
from contextlib import suppress

SCRIPT = """
trap '' HUP INT QUIT TERM
group=
while read -r word; do
  [ "$word" = done ] && exit
  group=$word
done
[ -z "$group" ] || kill -s KILL -- "-$group"
rm -rf -- "$1"
"""
"""Reads the number of a process group from its parent, and then "done"; where the input
ends without, the parent is gone."""


class Janitor:
    """A shell that outlives this process, whatever ends it: SIGKILL gives no chance to
    clean up. It then ends a group of processes and removes a folder."""

    def __init__(self, folder: str) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "sh", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """This group of processes is to be ended as well."""
        self._say(str(group))

    def dismiss(self) -> None:
        """All is cleared up already."""
        self._say("done")
        assert self._shell.stdin is not None
        with suppress(OSError):
            self._shell.stdin.close()
        self._shell.wait()

    def _say(self, word: str) -> None:
        assert self._shell.stdin is not None
        with suppress(OSError):
            self._shell.stdin.write(f"{word}\n".encode())
            self._shell.stdin.flush()
