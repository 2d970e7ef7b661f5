#!/usr/bin/env python3
"""What the gateway says about itself, judged by others: the OpenAPI document by openapi-spec-validator and schemathesis, the
descriptor set by a second gateway that lives on it; the commands routes, openapi, descriptors and check; files of HTTP rules."""
import http.client
import json
import pathlib
import tempfile

from harness import SCHEMA, Calculator, Gateway, bridge, curl, equal, main, program, python_tools, run, test
from services import validate_openapi

SCHEMATHESIS_CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
                       "negative_data_rejection")
# What has no delay and no size in its request.
QUICK = r"^/v1/(add|sub|mul|div|sqrt|sqrt/\{value\}|vectors|history|batch|statistics|total)$"
RULES = """type: google.api.Service
config_version: 3
http:
  rules:
  - selector: Calculator.AddNum
    get: /plus/{value1}/{value2}
    additional_bindings:
    - post: /plus
      body: "*"
"""


def drawbridge(*arguments, environment=None):
    return run([program("drawbridge"), *arguments], environment=environment)


def fails(status, *arguments, says, environment=None):
    done = drawbridge(*arguments, environment=environment)
    equal(done.returncode, status, f"exit status of {arguments}, which said {done.stderr!r}")
    assert says in done.stderr.decode(), f"{says!r} is not in {done.stderr!r}"


class Rules:
    """A file of rules, gone afterwards."""

    def __init__(self, text=RULES):
        self.text = text

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.folder.name) / "rules.yaml"
        path.write_text(self.text)
        return path

    def __exit__(self, *_):
        self.folder.cleanup()


@test(90)
def test_validator_refuses_what_is_wrong():
    """Else the next tests could not fail."""
    tools = python_tools("openapi")
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(b'{"openapi":"3.1.0","info":{"title":"x"},"paths":{}}')
        file.flush()
        assert run([tools / "openapi-spec-validator", file.name], 60).returncode != 0


@test(90)
def test_live_document_is_valid():
    with bridge() as (calculator, gateway):
        reply = curl(gateway.url + "/openapi.json")
        equal((reply.status, reply.headers["content-type"]), (200, "application/json"))
        equal(reply.json()["openapi"], "3.1.0")
        assert "/v1/sqrt/{value}" in reply.json()["paths"] and "/Calculator/SquareRoot" in reply.json()["paths"]
        equal(reply.json()["paths"]["/v1/add"]["post"]["summary"], "Adds two numbers", "comment by reflection")
        client = http.client.HTTPConnection("127.0.0.1", gateway.port("http"), timeout=10)
        for etag, status in (reply.headers["etag"], 304), ("other", 200), (reply.headers["etag"], 304):
            client.request("GET", "/openapi.json", headers={"if-none-match": etag})
            answer = client.getresponse()
            equal((answer.status, answer.headers["content-length"], answer.headers["connection"]), (status, str(len(reply.body)), None),
                  "status, length of what there is, and whether the connection stays")
            equal(answer.read(), reply.body if status == 200 else b"", "body")
        client.close()
        equal(curl(gateway.url + "/openapi.json", method="HEAD").body, b"")
        printed = drawbridge("openapi", calculator.address)
        equal(json.loads(printed.stdout), reply.json(), "what `drawbridge openapi` prints")
    validate_openapi(reply.body)


@test(90)
def test_templates_are_valid():
    """Rules with every form of template, spelt out for OpenAPI."""
    paths = ["/a/{page_token}:x", "/a/{page_token=b/*/c/*}", "/d/{page_token=**}", "/*/e/**", "/", "/f/%7B/{page_token}"]
    text = "http:\n  rules:\n  - selector: Calculator.ListHistory\n    get: /history\n    additional_bindings:\n"
    text += "".join(f'    - get: "{path}"\n' for path in paths)
    text += "".join(f'    - custom: {{kind: "{kind}", path: /any}}\n' for kind in ["*", "SEARCH", "HEAD"])
    with Rules(text) as rules:
        done = drawbridge("openapi", "--descriptors", SCHEMA, "--http-rules", rules)
        equal(done.returncode, 0, f"exit status: {done.stderr}")
    document = json.loads(done.stdout)
    for path in ["/a/{page_token}:x", "/a/b/{b}/c/{c}", "/d/{page_token}", "/{segment}/e/{e}", "/", "/f/%7B/{page_token}", "/any"]:
        assert path in document["paths"], f"{path} is not in {list(document['paths'])}"
    assert "SEARCH" in document["paths"]["/any"]["x-methods"]
    validate_openapi(done.stdout)


FORM = "--json-proto-names", "--json-enums-as-numbers", "--json-int64-as-numbers"


@test(90)
def test_form_of_json():
    """The document is of the JSON that these options make."""
    with bridge(*FORM, "--path-prefix", "/api") as (calculator, gateway):
        reply = curl(gateway.url + "/api/openapi.json")
        printed = drawbridge("openapi", *FORM, "--path-prefix", "/api", calculator.address)
        equal(json.loads(printed.stdout), reply.json(), "what `drawbridge openapi` prints")
        equal(reply.json()["servers"], [{"url": "/api"}], "servers")
        schemas = reply.json()["components"]["schemas"]
        page = curl(gateway.url + "/api/v1/history?page_size=1").json()
        record, described = page["records"][0], schemas["HistoryRecord"]["properties"]
        assert set(page) <= set(schemas["ListHistoryReply"]["properties"]) and "next_page_token" in page, page
        assert set(record) <= set(described), (record, described)
        equal((described["sequence"]["type"], type(record["sequence"])), ("integer", int), "a 64-bit integer")
        operation = schemas[described["operation"]["$ref"].rpartition("/")[2]]
        assert operation["type"] == "integer" and record["operation"] in operation["enum"], (record, operation)
    validate_openapi(reply.body)
    fails(2, "openapi", calculator.address, "--path-prefix", "api", says="--path-prefix")


@test(150)
def test_schemathesis():
    """Requests made from the document, right and wrong ones: no answer contradicts it."""
    contradict()


@test(150)
def test_schemathesis_with_numbers_and_proto_names():
    contradict(*FORM)


def contradict(*flags):
    tools = python_tools("openapi")
    with bridge(*flags) as (_, gateway), tempfile.TemporaryDirectory() as folder:
        done = run([tools / "st", "run", gateway.url + "/openapi.json", "--phases", "fuzzing", "-n", "8", "--seed", "1",
                    "--generation-database", "none", "--request-timeout", "10", "--no-color", "--include-path-regex", QUICK,
                    "--checks", SCHEMATHESIS_CHECKS], 120, environment={"HOME": folder})
        output = done.stdout.decode(errors="replace")
        equal(done.returncode, 0, f"exit status of schemathesis, which said {output[-3000:]} {done.stderr[-500:]}")
        assert "Tested: 15" in output, output[-2000:]


@test(60)
def test_streams_are_as_described():
    with bridge() as (_, gateway):
        operation = curl(gateway.url + "/openapi.json").json()["paths"]["/v1/factors/{number}"]["get"]
        content = operation["responses"]["200"]["content"]
        equal(sorted(content), ["application/json", "application/x-ndjson", "text/event-stream"])
        for media_type in content:
            reply = curl(gateway.url + "/v1/factors/12", None, "accept: " + media_type)
            equal((reply.status, reply.headers["content-type"].partition(";")[0]), (200, media_type))


@test()
def test_descriptors_serve_another_gateway():
    with bridge() as (calculator, gateway), tempfile.TemporaryDirectory() as folder:
        live, printed = pathlib.Path(folder) / "live.binpb", pathlib.Path(folder) / "printed.binpb"
        reply = curl(gateway.url + "/descriptors.binpb")
        equal((reply.status, reply.headers["content-type"]), (200, "application/x-protobuf"))
        live.write_bytes(reply.body)
        equal(drawbridge("descriptors", calculator.address, "--output", printed).returncode, 0)
        equal(printed.read_bytes(), reply.body, "what `drawbridge descriptors` writes")
        equal(drawbridge("descriptors", calculator.address).stdout, reply.body, "standard output")
        with Gateway(calculator.address, "--descriptors", live) as other:
            equal(curl(other.url + "/Calculator/SquareRoot", '{"value":16}').json(), {"value": 4})
            equal(curl(other.url + "/descriptors.binpb").body, reply.body)


@test(40)
def test_console_policy():
    rows = [((), 200), (("--console", "off"), 404), (("--listen", "0.0.0.0:0"), 404),
            (("--listen", "0.0.0.0:0", "--console", "on"), 200)]
    with Calculator() as calculator:
        for flags, status in rows:
            with Gateway(calculator.address, *flags, workers=1) as gateway:
                port = gateway.port("http")
                for path in ["/openapi.json", "/descriptors.binpb"]:
                    equal(curl(f"http://127.0.0.1:{port}{path}").status, status, f"{path} under {flags}")


@test(40)
def test_before_the_schema():
    """Without schema there is nothing to describe; a service's own path of that name goes first."""
    with Gateway("127.0.0.1:1", ready=False) as gateway:
        reply = curl(gateway.url + "/openapi.json")
        equal((reply.status, reply.json()["code"]), (503, 14))
    own = "http: {rules: [{selector: Calculator.ListHistory, get: /openapi.json}]}"
    with Rules(own) as rules, bridge("--http-rules", rules) as (_, gateway):
        assert "records" in curl(gateway.url + "/openapi.json").json()


@test()
def test_routes_command():
    with Rules() as rules, Calculator() as calculator:
        plain = json.loads(drawbridge("routes", calculator.address, "--json").stdout)
        row = next(r for r in plain if r["path"] == "/v1/sqrt/{value}:converge")
        equal(row, {"method": "GET", "path": "/v1/sqrt/{value}:converge", "rpc": "Calculator/ConvergeSquareRoot",
                    "kind": "server stream", "body": "", "response_body": "", "rule": "calculator.proto", "implicit": False})
        ruled = json.loads(drawbridge("routes", "--descriptors", SCHEMA, "--http-rules", rules, "--json").stdout)
        mine = [(r["method"], r["path"], r["rule"]) for r in ruled if r["rpc"] == "Calculator/AddNum"]
        equal(mine, [("GET", "/plus/{value1}/{value2}", f"{rules}:5"), ("POST", "/plus", f"{rules}:8"),
                     ("POST", "/Calculator/AddNum", "implicit")])
        table = drawbridge("routes", calculator.address).stdout.decode().splitlines()
        equal(len(table), len(plain) + 1, "lines of the table")
        equal(table[0].split(), ["METHOD", "PATH", "RPC", "KIND", "RULE"])
    fails(2, "routes", says="needs a target")
    fails(2, "routes", "a:1", "b:1", says="takes one target")
    fails(1, "routes", "--descriptors", "/nonexistent", says="/nonexistent: No such file")


@test(40)
def test_rules_are_served():
    with Rules() as rules, bridge("--http-rules", rules) as (_, gateway):
        equal(curl(gateway.url + "/plus/1/2").json(), {"value": 3})
        equal(curl(gateway.url + "/plus", '{"value1":1,"value2":2}').json(), {"value": 3})
        equal(curl(gateway.url + "/v1/add?value1=1").status, 404, "the rule that is overridden")
        equal(curl(gateway.url + "/Calculator/AddNum", '{"value1":1}').json(), {"value": 1})
        assert "/plus/{value1}/{value2}" in curl(gateway.url + "/openapi.json").json()["paths"]


@test(40)
def test_check():
    good = ["check", "--upstream", "127.0.0.1:1"]
    with Rules() as rules:
        done = drawbridge(*good, "--http-rules", rules)
        equal((done.returncode, done.stderr), (0, b""))
        done = drawbridge(*good, "--http-rules", rules, "--descriptors", SCHEMA)
        equal((done.returncode, done.stderr), (0, b""))
        assert b"HTTP routes" in done.stdout
        equal(drawbridge("check", environment={"DRAWBRIDGE_UPSTREAM": "127.0.0.1:1"}).returncode, 0)
    fails(1, "check", says="--upstream HOST:PORT is required")
    fails(1, *good, "--workers", "many", says="--workers")
    fails(1, *good, "--consle", "on", says="did you mean --console?")
    fails(1, *good, environment={"DRAWBRIDGE_CONSOLE": "sometimes"}, says="DRAWBRIDGE_CONSOLE")
    fails(1, *good, "--descriptors", "/nonexistent", says="No such file")
    with Rules(RULES.replace("post:", "psot:")) as rules:
        fails(1, *good, "--http-rules", rules, says=f'{rules}:8:7: a binding has no key "psot", did you mean "post"?')
        fails(1, "serve", "--upstream", "127.0.0.1:1", "--listen", "127.0.0.1:0", "--admin", "off", "--http-rules", rules,
              says="rules.yaml:8:7")
    with Rules(RULES.replace("AddNum", "AddNumber")) as rules:
        equal(drawbridge(*good, "--http-rules", rules).returncode, 0, "exit status without descriptors")
        fails(1, *good, "--http-rules", rules, "--descriptors", SCHEMA, says="the selector names no method")
    with Rules(RULES.replace("/plus/{value1}/{value2}", "/v1/history")) as rules:
        fails(1, *good, "--http-rules", rules, "--descriptors", SCHEMA, says="same method and path as")


main()
