# The small process between a Python program and its server; run by its path, imports nothing of Barewire.
"""Runs one server and makes sure that it never outlives the program that asked for it.

Called with one argument, a JSON object: ``command`` (list of str), ``parent`` (process id), ``user`` (null, or
user id, group id and further groups for the server), ``discard`` (folders to remove when the program died
without stopping the server), ``ending`` (how the server is ended then: signals, each with the seconds to wait
for its effect; SIGKILL comes last in any case), ``death_signal`` (what the server gets if this process is
killed). Standard input carries one signal number per line, to be sent to the server, or followed by `` tree``
to its child processes as well; its end means that the program is gone. Standard output carries one JSON object
per line: ``{"pid": n}``, ``{"sent": signal}`` for each signal, ``{"exit": code}``; or ``{"failed": text}``. The
server writes its log to our standard error.

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
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_STOPPED_SECONDS = 1.0  # for the signal to reach processes that are not our own children


def _prctl():
    """The function of this name (Linux), or None."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        import ctypes

        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None


def _death_signal_setter(prctl, number):
    """A function for the child that makes it get a signal when we die, or None."""
    if prctl is None:
        return None
    guard = os.getpid()

    def die_with_guard():
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != guard:  # died between the fork and the line above
            os._exit(1)

    return die_with_guard


def _report(**message):
    try:
        os.write(1, (json.dumps(message) + "\n").encode())
    except OSError:
        pass  # nobody listens any more; standard input tells the same


def _stat(pid):
    """State and parent of a process, or None (it is gone, or this system has no /proc)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, parent = file.read().rpartition(b")")[2].split()[:2]
    except OSError:
        return None
    return state, int(parent)


def _children(parent):
    """The process ids of a process's children; none where there is no /proc."""
    try:
        entries = os.listdir("/proc")
    except OSError:
        return []
    stats = ((int(entry), _stat(entry)) for entry in entries if entry.isdigit())
    return [pid for pid, stat in stats if stat is not None and stat[1] == parent]


def _kill_all(pids):
    """SIGKILL to each; waits for the first of them; whether there was one."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return bool(pids) and os.waitpid(-1, 0)[0] != 0


class Guard:
    """One server process, and what can happen to it and to its owner."""

    def __init__(self, job):
        self.parent = job["parent"]
        self.discard = job["discard"]
        self.ending = job["ending"]
        prctl = _prctl()
        if prctl is not None:
            # What the server leaves behind when it is killed becomes ours to end.
            prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.wakeup, wakeup_end = os.pipe()
        for end in (self.wakeup, wakeup_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakeup_end, warn_on_full_buffer=False)
        self.asked_to_end = False
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._end_asked)
        user = {}
        if job["user"] is not None:
            user["user"], user["group"], user["extra_groups"] = job["user"]
        self.server = subprocess.Popen(
            job["command"],
            stdin=subprocess.DEVNULL,
            stdout=2,
            preexec_fn=_death_signal_setter(prctl, job["death_signal"]),
            cwd="/",
            **user,
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
                    number, _, tree = line.partition(b" ")
                    self.send(int(number), tree=bool(tree))
        self.end_left_behind()
        _report(exit=self.server.returncode)

    def send(self, number, *, tree):
        """Send one signal and say so; a stop is said when it has taken effect in every thread."""
        if tree:
            self.send_to_children(number)
        self.server.send_signal(number)
        if number == signal.SIGSTOP:
            self.await_stop()
        _report(sent=number)

    def await_stop(self):
        if hasattr(os, "waitid"):
            try:
                os.waitid(os.P_PID, self.server.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                pass  # it had ended before

    def send_to_children(self, number):
        if number == signal.SIGSTOP:
            # First: a stopped parent makes no new ones and takes no ended one's process id out of use.
            self.server.send_signal(number)
            self.await_stop()
        children = _children(self.server.pid)
        for child in children:
            try:
                os.kill(child, number)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + _STOPPED_SECONDS
        while number == signal.SIGSTOP and children and time.monotonic() < deadline:
            stats = map(_stat, children)
            children = [pid for pid, stat in zip(children, stats) if stat and stat[0] not in (b"T", b"t", b"Z")]
            time.sleep(0.001)

    def end_left_behind(self):
        """End what the server, now gone, has left: a killed one's child processes may be in the middle of work."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0] or _kill_all(_children(os.getpid())):
                pass
        except ChildProcessError:
            pass  # none is left

    def end_orphan(self):
        """End the server and, if nobody wants its data, remove them."""
        if self.ending:
            self.send_to_children(signal.SIGCONT)
            self.server.send_signal(signal.SIGCONT)
        for number, seconds in self.ending:
            self.server.send_signal(number)
            try:
                self.server.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                pass
        self.server.kill()
        self.server.wait()
        self.end_left_behind()
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
