"""A program under measurement: started on one core, with the CPU time and memory that the kernel accounts to it."""

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

NANOSECONDS = 1e9


class Process:
    """Owns one child. Use it as a context manager: leaving it stops the child."""

    def __init__(self, name, argv, cpu, log, environment=None):
        self.name = name
        self.started = time.monotonic()
        with open(log, "wb") as output:
            self._child = subprocess.Popen(
                ["taskset", "-c", str(cpu), *map(str, argv)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **(environment or {})})
        self._log = Path(log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def cpu_seconds(self):
        """User and system time of all threads, in the scheduler's nanoseconds (/proc/PID/stat counts 10 ms ticks)."""
        total = 0
        for task in Path(f"/proc/{self._child.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / NANOSECONDS

    def rss_bytes(self):
        return self._memory("VmRSS")

    def peak_bytes(self):
        """The largest RSS since forget_peak()."""
        return self._memory("VmHWM")

    def forget_peak(self):
        Path(f"/proc/{self._child.pid}/clear_refs").write_text("5")

    def _memory(self, name):
        for line in Path(f"/proc/{self._child.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise RuntimeError(f"{self.name} has no memory: it has ended")

    @contextmanager
    def paused(self):
        """Stopped meanwhile: it keeps its connections and reads nothing."""
        self._child.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._child.send_signal(signal.SIGCONT)

    def wait_listening(self, port, seconds=10.0):
        """Returns once the port accepts; raises RuntimeError with the end of the log otherwise."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._child.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self._child.returncode}: {self.last_words()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.001)
        raise RuntimeError(f"{self.name} does not listen on {port}: {self.last_words()}")

    def last_words(self):
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it printed nothing"

    def stop(self):
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(3)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self._child.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def core_busy_seconds(cpu):
    """Time that a core has spent on anything, by anyone."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{cpu} "):
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, line.split()[1:9])
            return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    raise RuntimeError(f"no core {cpu}")
