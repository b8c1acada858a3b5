"""The export to Flink SQL: a configuration with everything that has to be quoted, and how a script is cut into statements."""
import json
import random
import re
import uuid

ODD_NAME = "It's `odd`; -- \"x\" \\ \n \u00e9 \u4e2d /*"
SELECTED = ["a'b\\c\n;--/* */\u00e9\U0001f600", "order", "x "]
PROPERTIES = {"select": {"type": "string"}, "back`tick": {"type": "string"}, "o'clock": {"type": "number"}, "n": {"type": "integer"}, "ok": {"type": "boolean"},
              "data": {"type": "object"}}
METRICS = [
    {"name": ODD_NAME, "unit": "per\tcent; '", "by": {"select": "select", "quo\"te`s\\": "back`tick", "\u00e9 \u4e2d": "data.1st.user-id", "--": "ok", "*": "n"},
     "filter": {"select": {"in": SELECTED}, "or": [{"back`tick": {"prefix": "100%_"}}, {"data.it's \"x\"\\y": {"exists": True}}, {"data.n": {"ge": 1, "lt": 1000.0}}],
                "not": {"o'clock": [1.5, "x", True]}},
     "dedupe": "data.id"},
    {"name": "Sum", "size": "90500ms", "every": "18100ms", "by": {"K": "data.k;ey", "T": "@type", "A": "@app", "S": "select"}, "missing": "skip", "value": "sum",
     "of": "data.v", "having": {"gt": -1.5, "le": 1e20}},
    {"name": "Half", "value": "quantile", "quantile": 0.25, "of": "o'clock", "size": "12h", "delay": "1h"},
    {"name": "Most", "value": "top", "top": 2, "of": "data.list", "by": {"S": "select"}, "having": {"ge": 2}},
    {"name": "Many", "value": "approximate_distinct", "of": "n", "filter": {"ok": True, "data.t": True, "data.f": False, "data.z": None, "data.s": "7", "data.d": 7}},
    {"name": "Least", "value": "min", "of": "data.v", "by": {"K": "data.1st.user-id"}, "filter": {"and": [{"data.v": {"lt": 3, "ge": -3}}, {"select": {"prefix": ""}}]}},
    {"name": "Free", "value": "avg", "of": "n", "by": {"S": "select", "O": "ok"},
     "document": {"it's": "{name}/{by.S}/{by.O}", "from": "{start}..{end}", "n": "{count}", "v": "{value}", "t`": "a'b {count}", "empty": "", "u": "{unit}", "a": "{app}"}},
]


def hostile(**module):
    """Receiver and module as a configuration has them."""
    types = {"click": {"schema": {"type": "object", "properties": PROPERTIES}}}
    windows = {"use": "windows", "receivers": ["events"], "types": ["click", "it's"], "watermark": "stream", "idle": "0s", "metrics": METRICS, **module}
    return {"events": {"app": "shop", "time_path": "time", "id_path": "id", "types": types}, "metrics": {}}, {"odd": windows}


def hostile_server(t, receivers, modules, **more):
    """YAML does not know surrogate pairs. more: receivers, too."""
    server = t.server(start=False, config={"receivers": {**more, **receivers}}, modules=modules)
    server.file.write_text(json.dumps(server.config, ensure_ascii=False))
    return server


def hostile_event(rng, when):
    """An event with what the metrics ask for, in the right form, a wrong one, or not at all."""
    maybe = lambda *values: rng.choice(values)  # noqa: E731
    data = {"1st": {"user-id": maybe("q'\"`\\\n;--\u00e9", 7, True, [1, {"a": 2}], None)}, "id": maybe("a", "b", "c", 7, "", None, str(rng.random())),
            "v": maybe(1.5, -1, 2, "2", None, True, 0.1), "k;ey": maybe("k'1", 2, None), "list": maybe("x", "y", "z", ["x"], 3), "n": maybe(1, 1000, "1", 0.5),
            "t": maybe(True, True, "true"), "f": maybe(False, False, None), "s": maybe("7", "7", 7), "d": maybe(7, 7.0, "7")}
    if rng.random() < 0.3:
        data["it's \"x\"\\y"] = maybe(0, None, "")
    if rng.random() < 0.5:
        data["z"] = maybe(None, None, 0)
    event = {"id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "time": when, "select": maybe(*SELECTED, "x", "a'b"), "data": data}
    for name, values in {"back`tick": ["100%_x", "100xx", ""], "o'clock": [1.5, 2.5, 3, -4], "n": [1, 2, 3, 2**53 + 1], "ok": [True, True, False]}.items():
        if rng.random() < 0.8:
            event[name] = maybe(*values)
    return event


def hostile_events(seed, count, time_of):
    rng = random.Random(seed)
    return [hostile_event(rng, time_of(n)) for n in range(count)]


def statements(text):
    """As the grammar has them: semicolons in texts, names and comments do not count. What stands between BEGIN and END is one."""
    tokens = re.compile(r"--[^\n]*|'(?:[^']|'')*'|`(?:[^`]|``)*`|;|[^-'`;]+|-")
    found, one = [], ""
    for token in tokens.findall(text):
        if token.startswith("--"):
            continue
        if token != ";":
            one += token
        elif one.strip().startswith("EXECUTE STATEMENT SET") and not one.strip().endswith("END"):
            one += token
        else:
            found.append(one.strip())
            one = ""
    return found if not one.strip() else [*found, one.strip()]


def cut_by_lines(text):
    """As a client does that looks for semicolons at the ends of lines, comments cut off."""
    found, one = [], ""
    for line in text.splitlines():
        line = re.sub("--.*$", "", line)
        one += line + "\n"
        if line.rstrip().endswith(";"):
            found.append(one.strip()[:-1].strip())
            one = ""
    return found


def lines_of(documents):
    return sorted(json.dumps(d, sort_keys=True) for d in documents)
