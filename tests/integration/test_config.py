#!/usr/bin/env python3
"""The configuration file: what stands in it is served, options and environment win over it, what is wrong with it is said with
its place, `check` finds it without starting.  The README's section "Configuration" runs here."""
import contextlib
import json
import pathlib
import re
import signal
import socket
import tempfile

from harness import ROOT, SCHEMA, Calculator, Gateway, Server, curl, equal, main, program, run, test, wait_for

PLUS = {"http": {"rules": [{"selector": "Calculator.AddNum", "get": "/plus/{value1}/{value2}"}]}}
QUIET = {"DRAWBRIDGE_LISTEN": "127.0.0.1:0", "DRAWBRIDGE_ADMIN": "127.0.0.1:0", "DRAWBRIDGE_WORKERS": "1"}


def drawbridge(*arguments, environment=None):
    done = run([program("drawbridge"), *arguments], environment=environment)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@contextlib.contextmanager
def files(**texts):
    """A folder of files: `d_yaml` is d.yaml; what is no text becomes JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for file, text in texts.items():
            (folder / file.replace("_", ".")).write_text(text if isinstance(text, str) else json.dumps(text))
        yield folder


class Configured(Gateway):
    """A gateway that knows of its upstream by its file (or what the environment says)."""

    def __init__(self, *flags, environment=None, ready=True):
        self.workers = self.upstreams = 1
        Server.__init__(self, [program("drawbridge"), "serve", *flags], ["http", "admin"], {**QUIET, **(environment or {})})
        self.url = "http://" + self.addresses["http"]
        if ready:
            self.wait_ready()


@test(40)
def test_the_readmes_section():
    section = (ROOT / "README.md").read_text().partition("\n## Configuration\n")[2].partition("\n## ")[0]
    text = re.search(r"```yaml\n(.*?)```", section, re.S)[1]
    check, serve = re.findall(r"^drawbridge (\w+ --config drawbridge.yaml)$", section, re.M)
    wrong = re.search(r"^drawbridge\.yaml(:\d+:\d+: .*)$", section, re.M)[1]
    with Calculator() as calculator, files(drawbridge_yaml=text.replace("localhost:50051", calculator.address)) as folder:
        path = folder / "drawbridge.yaml"
        status, output, errors = drawbridge(*check.replace("drawbridge.yaml", str(path)).split())
        equal((status, errors), (0, ""), "check")
        assert "every key and value is understood" in output, output
        with Configured(*serve.replace("drawbridge.yaml", str(path)).split()[1:]) as gateway:
            equal(curl(gateway.url + "/plus/1/2").json(), {"value": 3}, "by the rule in the file")
            reply = curl(gateway.url + "/plus/1/2", None, "origin: https://app.example")
            equal(reply.headers.get("access-control-allow-origin"), "https://app.example")
        path.write_text(text.replace("max_timeout", "max_timeot"))
        equal(drawbridge("check", "--config", path), (1, "", f"{path}{wrong}\n"), "what the README says of a mistake")


def indented(text, key):
    """The lines of a comment `#     KEY:` and below it, without what makes them a comment."""
    lines = re.search(rf"^#     {key}:\n(?:#     [ -].*\n)+", text, re.M)[0].splitlines()
    return "".join(line.removeprefix("#     ") + "\n" for line in lines)


@test(40)
def test_the_upstreams_of_readme_and_example():
    section = (ROOT / "README.md").read_text().partition("\n## Configuration\n")[2].partition("\n## ")[0]
    readme = re.search(r"```yaml\n(upstreams:.*?)```", section, re.S)[1]
    example = indented((ROOT / "config/drawbridge.yaml").read_text(), "upstreams").replace(", pkg.Other", "")
    for text in (readme, example):
        with Calculator() as calculator, files(d_yaml=text.replace("localhost:50051", calculator.address)) as folder:
            path = folder / "d.yaml"
            status, output, errors = drawbridge("check", "--config", path, "--descriptors", SCHEMA)
            equal((status, errors), (0, ""), "check")
            for words in (f"upstream {calculator.address}, as calculator.internal, for Calculator\n",
                          "upstream unix:/run/history.sock, as localhost\n", "learnt from unix:/run/history.sock when it is there"):
                assert words in output, f"{words!r} is not in {output!r}"
            with Configured("--config", path, "--descriptors", SCHEMA, ready=False) as gateway:
                equal(curl(gateway.url + "/v1/sqrt/16").json(), {"value": 4})
            # What is given outside replaces the list.
            with Configured("--config", path, "--upstream", calculator.address) as gateway:
                equal(curl(gateway.url + "/services.json").json()["upstream"], calculator.address, "by --upstream")
            with Configured("--config", path, environment={"DRAWBRIDGE_UPSTREAM": calculator.address}) as gateway:
                equal(curl(gateway.url + "/services.json").json()["upstream"], calculator.address, "by DRAWBRIDGE_UPSTREAM")


@test(40)
def test_what_wins():
    with Calculator() as calculator, files(d_yaml=f"upstream: {calculator.address}\nlisten: [nowhere.invalid:1, 127.0.0.1:1]\n"
                                           "log: {format: json, level: error}\nconsole: off\n") as folder:
        path = folder / "d.yaml"
        with Configured("--config", path) as gateway:
            equal(len(re.findall(r"\(http\)", gateway.log())), 1, "listeners: the variable's list replaces the file's")
            equal(curl(gateway.url + "/openapi.json").status, 404, "console: off")
            equal(gateway.events("call"), [], "log level of the file")
        with Configured("--config", path, "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--console", "on",
                        environment={"DRAWBRIDGE_LOG_LEVEL": "info", "DRAWBRIDGE_CONSOLE": "off"}) as gateway:
            equal(len(re.findall(r"\(http\)", gateway.log())), 2, "listeners: the option's list replaces both")
            equal(curl(gateway.url + "/openapi.json").status, 200, "console: the option")
            equal(curl(gateway.url + "/Calculator/SquareRoot", '{"value":16}').json(), {"value": 4})
            wait_for("a line by the environment's level in the file's format", lambda: len(gateway.events("call")) == 1)


@test(40)
def test_json_by_the_environment_from_another_folder():
    document = {"descriptors": ["api.binpb"], "limits": {"max_message_bytes": 100}, **PLUS}
    with Calculator() as calculator, files() as folder:
        (folder / "api.binpb").write_bytes(pathlib.Path(SCHEMA).read_bytes())
        (folder / "d.json").write_text(json.dumps({**document, "upstream": calculator.address}, indent="\t"))
        environment = {"DRAWBRIDGE_CONFIG": str(folder / "d.json")}
        with Configured(environment=environment) as gateway:
            equal(curl(gateway.url + "/plus/1/2").json(), {"value": 3})
            reply = curl(gateway.url + "/v1/vectors", json.dumps({"left": [1] * 100, "right": [1] * 100}))
            equal((reply.status, reply.json()["code"]), (413, 8), "limits.max_message_bytes")
        status, output, _ = drawbridge("check", environment=environment)
        equal(status, 0, output)
        assert "services, " in output and "HTTP routes" in output, output


@test(40)
def test_rules_in_the_file_are_read_again():
    with Calculator() as calculator, files(d_json={**PLUS, "upstream": calculator.address}) as folder:
        path = folder / "d.json"
        with Configured("--config", path) as gateway:
            path.write_text(path.read_text().replace("/plus/", "/sum/"))
            gateway.process.send_signal(signal.SIGHUP)
            wait_for("the new rule", lambda: curl(gateway.url + "/sum/1/2").status == 200)
            equal(curl(gateway.url + "/plus/1/2").status, 404)
            path.write_text("{")
            gateway.process.send_signal(signal.SIGHUP)
            wait_for("the refusal", lambda: "d.json:2:1: " in gateway.log())
            equal(curl(gateway.url + "/sum/1/2").json(), {"value": 3}, "the old rules stay")


@test(60)
def test_bad_files():
    rows = [("workers: 0\nlimits:\n  body_grace: 5\n  max_timeot: 1s\nlisten: 8080\n", [
        '1:10: workers: must be at least 1, not "0"', '3:15: limits.body_grace: needs a duration such as 2s',
        '4:3: limits.max_timeot: no such key, did you mean "max_timeout"?', '5:9: listen: needs HOST:PORT or unix:PATH']),
        ("upstream: a:1\nupstream: b:1\n", ['2:1: the key "upstream" is here twice, first at 1:1']),
        ("upstream: a:1\n---\n", ["2:1: a second document"]),
        ("upstream:\n\t- a:1\n", ["2:1: a tab cannot indent YAML: use blanks"]),
        ("upstream: a\n", ['1:11: upstream: "a" is no target: it needs HOST:PORT']),
        ("workers: 0\nupstream: [a:1, 'http://b:1', 'unix:']\nupstream_authority: a b\n", [
            '1:10: workers: must be at least 1', '2:17: upstream: "http://b:1" is no target: write it as HOST:PORT',
            '2:31: upstream: "unix:" is no target: the path is missing', '3:21: upstream_authority: needs a host or HOST:PORT']),
        ("upstream: a:1\nupstreams:\n- target: a:1\n  servces: [a]\n- {target: b, services: [A, A]}\n", [
            "2:1: upstreams: the upstreams are in upstream already, at 1:1",
            '4:3: upstreams[0].servces: no such key, did you mean "services"?',
            '5:12: upstreams[1].target: "b" is no target: it needs HOST:PORT',
            '5:29: upstreams[1].services: "A" is a service of upstreams[1] already']),
        ("upstreams:\n- a:1\n- {target: a:1, authority: a/b}\n- target: a:1\n- services: ['']\n", [
            "2:3: upstreams[0]: needs keys and values such as target: HOST:PORT, not a text",
            "3:28: upstreams[1].authority: needs a host or HOST:PORT, without blanks and slashes",
            '4:11: upstreams[2].target: "a:1" is the target of upstreams[1] already',
            "5:3: upstreams[3]: needs a target", "5:14: upstreams[3].services: needs the full name of a service"]),
        ('{"upstream": null}', ["1:14: upstream: needs a text or a list of texts, not null"])]
    for command in ["serve", "check"]:
        for text, wanted in rows:
            with files(d_yaml=text) as folder:
                status, _, errors = drawbridge(command, "--config", folder / "d.yaml", environment=QUIET)
                equal(status, 1, f"exit status of {command} with {text!r}, which said {errors}")
                for line in wanted:
                    assert f"{folder}/d.yaml:{line}" in errors, f"{line!r} is not in {errors!r}"
                equal(errors.count(f"{folder}/d.yaml:"), len(wanted), f"errors in {errors!r}")
        for path, why in [("nowhere.yaml", "No such file"), ("/", "Is a directory"), ("/dev/zero", "longer than 4 MiB")]:
            status, _, errors = drawbridge(command, "--config", path, environment=QUIET)
            equal(status, 1, f"exit status, which said {errors}")
            assert f"{path}: {why}" in errors, errors


@test(40)
def test_bad_rules_in_the_file():
    for command in ["serve", "check"]:
        with files(d_yaml="upstream: 127.0.0.1:1\nhttp: {rules: [{selectr: a}]}\n") as folder:
            status, _, errors = drawbridge(command, "--config", folder / "d.yaml", environment=QUIET)
            equal(status, 1, f"exit status of {command}, which said {errors}")
            assert f'{folder}/d.yaml:2:17: a rule has no key "selectr", did you mean "selector"?' in errors, errors


@test(40)
def test_wrong_options_are_still_wrong_usage():
    with files(d_yaml="workers: 1\n") as folder:
        path = folder / "d.yaml"
        for arguments, says in [(("--worker", "2"), "did you mean --workers?"), ((), "--upstream HOST:PORT is required")]:
            status, _, errors = drawbridge("serve", "--config", path, *arguments)
            equal(status, 2, f"exit status, which said {errors}")
            assert says in errors, errors


@test(40)
def test_check_says_what_it_checked():
    equal(drawbridge("check", "--config", ROOT / "config/drawbridge.yaml")[::2], (0, ""), "the example")
    with files(d_yaml="upstream: 127.0.0.1:1\nadmin: 0.0.0.0:8080\n", r_yaml=PLUS) as folder:
        status, output, errors = drawbridge("check", "--config", folder / "d.yaml")
        equal(status, 1, output)
        assert "d.yaml:2:8: admin: 0.0.0.0:8080: another listener has that port there" in errors, errors
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            status, output, errors = drawbridge("check", "--config", folder / "d.yaml", "--listen", address, "--admin", "off",
                                                "--http-rules", folder / "r.yaml", "--descriptors", SCHEMA)
        equal((status, errors), (0, ""), "nothing is bound")
        for words in [f"{folder}/d.yaml: every key and value is understood", "upstream 127.0.0.1:1", f"listen on {address} (http)",
                      "HTTP routes"]:
            assert words in output, f"{words!r} is not in {output!r}"


main()
