"""Services that nobody here wrote: where their programs and .proto files come from (Debian packages and Go modules, unpacked or
built into build/test-deps, never installed on the machine), and how such a program is started and stopped."""
import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import tempfile

from harness import CLIENTS, DEPS, ROOT, Server, Skip, _install, _installed, equal, go_program, python_tools, run

MODULE = CLIENTS / "services"
RULES = ROOT / "proto"  # google/api and google/rpc


class Daemon(Server):
    """A program that announces itself in its own way; ready() tells when it serves.  `status` is how it ends after SIGTERM."""

    def __init__(self, argv, ready, status=0, environment=None):
        self._ready, self._status = ready, status
        super().__init__(argv, (), environment)

    def _find(self, roles):
        super()._find(roles)
        return self._ready()

    def stop(self, status=None):
        super().stop(self._status if status is None else status)


def debian_package(name):
    """The folder that the distribution's package is unpacked in.  It is not installed: no service starts, nothing is replaced,
    and what it depends on is not there."""
    folder = DEPS / "debian" / name
    if not shutil.which("apt-get"):
        raise Skip(f"the Debian package {name} is needed, and there is no apt-get")
    with _install("debian-" + name) as needed:
        if needed:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            as_root = ("-o", "APT::Sandbox::User=root") if os.getuid() == 0 else ()  # else a warning: _apt may not write here
            _installed(name, ["apt-get", *as_root, "download", "-qq", name], cwd=folder)
            archive, = folder.glob("*.deb")
            _installed(name, ["dpkg-deb", "-x", archive, folder])
            archive.unlink()
    return folder


def go_module(name):
    """The folder of a Go module of tests/clients/services/go.mod."""
    go_program("./etcd", MODULE)  # skips where there is no such Go
    done = run(["go", "-C", MODULE, "mod", "download", "-json", name], 120, environment={"GOTOOLCHAIN": "local"})
    found = json.loads(done.stdout or b"{}")
    if "Dir" not in found:
        raise Skip(f"the Go module {name} cannot be had: {found.get('Error') or done.stderr.decode()[-300:]}")
    return pathlib.Path(found["Dir"])


def descriptors(name, includes, files, stamp):
    """A descriptor set by protoc, which finds imports in {prefix: folder}; made anew when the file `stamp` has changed."""
    if not shutil.which("protoc"):
        raise Skip("protoc is not installed")
    path = DEPS / f"{name}.binpb"
    with _install(path.name, stamp) as needed:
        if needed:
            paths = [f"-I{prefix}={folder}" if prefix else f"-I{folder}" for prefix, folder in includes.items()]
            _installed("descriptors", ["protoc", *paths, f"-I{RULES}", "--include_imports", "--include_source_info", "-o", path,
                                       *files])
    return path


def validate_openapi(document):
    """Fails with what openapi-spec-validator says against that document."""
    tools = python_tools("openapi")
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(document)
        file.flush()
        done = run([tools / "openapi-spec-validator", file.name], 60)
    equal(done.returncode, 0, f"exit status of the validator, which said {done.stdout.decode()[-1500:]}")


class Stream:
    """An answer that is read while it is being written: POST with a body that is complete.  Nothing comes before the first
    message: `reply` and line() wait for it."""

    def __init__(self, address, path, body, **headers):
        self.connection = http.client.HTTPConnection(address, timeout=10)
        self.connection.request("POST", path, body, {"content-type": "application/json", **headers})

    @functools.cached_property
    def reply(self):
        return self.connection.getresponse()

    def line(self):
        """The next line without its end; empty at the end of the answer."""
        return self.reply.readline().rstrip(b"\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


def camel(value):
    """JSON with the JSON names of fields where a service prints the names of its .proto file: the same message, both are legal
    (protobuf's JSON mapping, "JSON options")."""
    if isinstance(value, dict):
        return {re.sub("_+(.?)", lambda m: m[1].upper(), key): camel(v) for key, v in value.items()}
    return [camel(v) for v in value] if isinstance(value, list) else value
