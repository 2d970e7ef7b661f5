#!/usr/bin/env python3
"""The transcoder against the official json_format, on random messages of every kind of field, whole and damaged."""
import re
import subprocess
import tempfile

from harness import BIN_DIR, ROOT, Skip, _installed, main, python_clients, test

HERE = ROOT / "tests/integration"
MESSAGES, SEED = "800", "20240229"


@test(limit=420)
def same_as_json_format():
    program = BIN_DIR / "tests/transcode_pipe"
    if not program.exists():
        raise Skip("transcode_pipe is not built")
    python = python_clients()
    with tempfile.NamedTemporaryFile(suffix=".binpb") as editions:  # Debian 12's protoc knows none
        _installed("descriptors", [python, "-m", "grpc_tools.protoc", "-I", HERE, "-o", editions.name, "every_kind.proto"])
        sets = [*(BIN_DIR / f"tests/transcode/{name}.binpb" for name in ("kinds", "kinds2")), editions.name]
        done = subprocess.run([python, HERE / "transcode_differential.py", program, MESSAGES, SEED, *sets],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-4000:]
    return int(re.search(r"(\d+) passed, 0 failed", done.stdout)[1])


main()
