#!/usr/bin/env python3
"""Threads of both programs under ThreadSanitizer: start, load on all workers, schema hand-over, scrape, drain and stop."""
import contextlib
import os
import shutil

from harness import (INSTALL_SECONDS, ROOT, Calculator, Gateway, Skip, curl, equal, free_port, main, run, test, use_binaries,
                     wait_for)
from peers import finish_call, load, start_call
from wire import frame, number, slow

BUILD = ROOT / "build/tsan"
PATH, BODY = "/Calculator/SquareRoot", frame(number(16))


@contextlib.contextmanager
def binaries_under_tsan():
    """Builds the tsan preset; Skip when the tools are not there."""
    build()
    yield


def build():
    if os.environ.get("DRAWBRIDGE_TSAN_DIR"):
        use_binaries(os.environ["DRAWBRIDGE_TSAN_DIR"])
        return
    if not shutil.which("cmake"):
        raise Skip("cmake is not installed")
    if not (BUILD / "build.ninja").exists():
        done = run(["cmake", "--preset", "tsan"], INSTALL_SECONDS)
        equal(done.returncode, 0, f"exit status of cmake: {done.stderr.decode()[-1500:]}")
    done = run(["cmake", "--build", BUILD, "-j2", "--target", "drawbridge", "calculator"], INSTALL_SECONDS)
    equal(done.returncode, 0, f"exit status of the build: {done.stdout.decode()[-3000:]}")
    use_binaries(BUILD)


def one_life(ended_under_load):
    with Calculator("--workers", "4") as calculator, Gateway(calculator.address, workers=4) as gateway:
        slow_calls = [start_call(gateway, "/Calculator/SlowSquareRoot", frame(slow(4, 0.3))) for _ in range(20)]
        with load(gateway, 6, PATH, BODY, number(4)) as calls:
            while calls.count() < 200 and not calls.failures():
                gateway.metrics()
                gateway.admin("/readyz")
        equal(calls.failures(), {}, "failures")
        if ended_under_load:
            gateway.terminate()
        equal({finish_call(s)[1]["grpc-status"] for s in slow_calls}, {"0"}, "statuses of slow calls")
        for s in slow_calls:
            s.close()


@test(120)
def test_workers_start_and_stop():
    for ended_under_load in (False, True, False, True):
        one_life(ended_under_load)


@test(60)
def test_stop_at_once():
    for _ in range(3):
        with Calculator("--workers", "4") as calculator, Gateway(calculator.address, workers=4, ready=False):
            pass


@test(60)
def test_schema_arrives_while_calls_run():
    address = f"127.0.0.1:{free_port()}"
    with Gateway(address, workers=4, ready=False) as gateway:
        with load(gateway, 4, PATH, BODY, number(4)) as calls:
            with Calculator("--workers", "4", listen=address):
                gateway.wait_ready(20)
                equal(curl(gateway.url + PATH, '{"value":16}').json(), {"value": 4}, "reply")
                before = calls.count()
                while calls.count() < before + 50:
                    gateway.metrics()


@test(60)
def test_second_sigterm():
    with Calculator("--workers", "2") as calculator, Gateway(calculator.address, workers=4) as gateway:
        hanging = [start_call(gateway, "/Calculator/SlowSquareRoot", frame(slow(4, 50))) for _ in range(8)]
        wait_for("all are open", lambda: gateway.metric("drawbridge_upstream_calls_open") == 8)
        gateway.terminate()
        wait_for("it drains", lambda: gateway.events("drain"))
        gateway.terminate()
        equal(gateway.wait(20), 0, "exit status")
        for s in hanging:
            s.close()


if __name__ == "__main__":
    main(binaries_under_tsan, "")
