# The small process between a Python program and its server; run by its path, imports nothing of Barewire.
"""Runs one server and makes sure that it never outlives the program that asked for it.

Called with one argument, a JSON object: ``command`` (list of str), ``parent`` (process id), ``discard``
(folders to remove when the program died without stopping the server). Standard input carries one signal
number per line, to be sent to the server; its end means that the program is gone. Standard output carries one
JSON object per line: ``{"pid": n}``, ``{"sent": signal}`` for each signal, ``{"exit": code}``; or
``{"failed": text}``. The server writes its log to our standard error.

A process of its own is needed because nothing else works everywhere: atexit does not run after SIGKILL, and
PR_SET_PDEATHSIG fires when the *thread* that started the child ends. This process has one thread, so here it
is right, and covers the case that this process is killed itself.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 15.0  # for a server whose data are kept, to close its files after its program died


def _death_signal_setter():
    """A function for the child that makes it die with us (Linux), or None."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
    guard = os.getpid()

    def die_with_guard():
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != guard:  # died between the fork and the line above
            os._exit(1)

    return die_with_guard


def _report(**message):
    try:
        os.write(1, (json.dumps(message) + "\n").encode())
    except OSError:
        pass  # nobody listens any more; standard input tells the same


class Guard:
    """One server process, and what can happen to it and to its owner."""

    def __init__(self, job):
        self.parent = job["parent"]
        self.discard = job["discard"]
        self.wakeup, wakeup_end = os.pipe()
        for end in (self.wakeup, wakeup_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakeup_end, warn_on_full_buffer=False)
        self.asked_to_end = False
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._end_asked)
        self.server = subprocess.Popen(
            job["command"], stdin=subprocess.DEVNULL, stdout=2, preexec_fn=_death_signal_setter(), cwd="/"
        )
        _report(pid=self.server.pid)

    def _end_asked(self, number, frame):
        self.asked_to_end = True

    def run(self):
        """Until the server has ended, for whatever reason."""
        watched, timeout = [0, self.wakeup], None
        try:
            watched.append(os.pidfd_open(self.parent))
        except (AttributeError, OSError):
            timeout = 0.5  # other systems: look from time to time
        commands = b""
        while self.server.poll() is None:
            # A forked child of the program holds our input open, so its end alone is not proof of life.
            if self.asked_to_end or os.getppid() != self.parent:
                return self.end_orphan()
            ready, _, _ = select.select(watched, [], [], timeout)
            if self.wakeup in ready:
                os.read(self.wakeup, 4096)
            if 0 in ready:
                data = os.read(0, 4096)
                if not data:
                    return self.end_orphan()
                *lines, commands = (commands + data).split(b"\n")
                for line in lines:
                    self.send(int(line))
        _report(exit=self.server.returncode)

    def send(self, number):
        """Send one signal and say so; a stop is said when it has taken effect in every thread."""
        self.server.send_signal(number)
        if number == signal.SIGSTOP and hasattr(os, "waitid"):
            try:
                os.waitid(os.P_PID, self.server.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                pass  # it had ended before
        _report(sent=number)

    def end_orphan(self):
        """End the server and, if nobody wants its data, remove them."""
        if not self.discard:
            self.server.send_signal(signal.SIGCONT)
            self.server.terminate()
            try:
                self.server.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        self.server.kill()
        self.server.wait()
        for folder in self.discard:
            shutil.rmtree(folder, ignore_errors=True)
        _report(exit=self.server.returncode)


def main():
    try:
        guard = Guard(json.loads(sys.argv[1]))
    except OSError as error:
        _report(failed=str(error))
        return 1
    guard.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
