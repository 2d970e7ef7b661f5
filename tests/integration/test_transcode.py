#!/usr/bin/env python3
"""The transcoder against the official json_format, on random messages of every kind of field."""
import re
import subprocess

from harness import BIN_DIR, ROOT, Skip, main, python_clients, test


@test(limit=420)
def same_as_json_format():
    program = BIN_DIR / "tests/transcode_pipe"
    if not program.exists():
        raise Skip("transcode_pipe is not built")
    sets = [BIN_DIR / f"tests/transcode/{name}.binpb" for name in ("kinds", "kinds2")]
    done = subprocess.run([python_clients(), ROOT / "tests/integration/transcode_differential.py", program, "1500", "20240229", *sets],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-4000:]
    return int(re.search(r"(\d+) passed, 0 failed", done.stdout)[1])


main()
