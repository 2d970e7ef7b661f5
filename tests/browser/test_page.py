#!/usr/bin/env python3
"""The lane of page.mjs: installs playwright-core, runs the page in headless Chromium, counts."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BIN_DIR = pathlib.Path(os.environ.get("DRAWBRIDGE_BIN_DIR", HERE.parent.parent / "build/dev")).resolve()


def skip(reason):
    print(f"skip page: {reason}\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)


def main():
    if not shutil.which("chromium"):
        skip("no chromium (Debian: chromium)")
    if not shutil.which("node") or not shutil.which("npm"):
        skip("no Node.js with npm (Debian: nodejs npm)")
    if not (HERE / "node_modules/playwright-core").is_dir():
        subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"], cwd=HERE, check=True,
                       timeout=300)
    done = subprocess.run(["node", "--test", "page.mjs"], cwd=HERE, timeout=300, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, "DRAWBRIDGE": str(BIN_DIR / "drawbridge")})
    print(done.stdout)
    passed, failed = (int(re.search(rf"^\S+ {word} (\d+)", done.stdout, re.M)[1]) for word in ("pass", "fail"))
    if done.returncode and not failed:
        failed = 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
