"""A small Redash of ours, as far as its REST API of version 10 is used: data sources, queries with versions and tags, visualizations,
dashboards, widgets. It refuses what Redash refuses. Faults: {"op": "POST /api/queries", "do": "close" | "lose" | STATUS, "skip": n, "times": n}; lose: carried
out, and the answer never comes. It stands in for a server that no registry has: what it does not know of Redash is not proved by it."""
import json
import re
import threading
import urllib.parse

from tests.fakes.http_fake import HttpFake

KEY = "a-key-of-an-admin"
MASK = "--------"
NEEDED = {"data_sources": ("name", "type", "options"), "queries": ("query", "name", "data_source_id"), "visualizations": ("query_id", "type", "name", "options"),
          "dashboards": ("name",), "widgets": ("dashboard_id", "options", "width", "text")}
OPTIONS = {"pg": {"host", "port", "user", "password", "dbname", "sslmode"}, "sqlite": {"dbpath"},
           "athena": {"region", "s3_staging_dir", "schema", "work_group", "aws_access_key", "aws_secret_key", "glue"}}
SECRETS = ("password", "aws_secret_key")


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Fake(HttpFake):
    def __init__(self):
        self.lock = threading.RLock()
        self.items = {kind: {} for kind in NEEDED}
        self.requests, self.faults, self.last = [], [], 0
        self.listen()

    def all(self, kind):
        """What is there and not archived."""
        with self.lock:
            return [i for i in self.items[kind].values() if not i.get("is_archived")]

    # ---- requests ------------------------------------------------------------------------------------

    def fault(self, op):
        for fault in self.faults:
            if re.fullmatch(fault["op"], op) and fault.get("times", 1) > 0:
                if fault.get("skip", 0) > 0:
                    fault["skip"] -= 1
                    continue
                fault["times"] = fault.get("times", 1) - 1
                return fault["do"]
        return None

    def handle(self, h):
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(h.path)
        with self.lock:
            self.requests.append((h.command, h.path, body.decode()))
            do = self.fault(f"{h.command} {url.path}")
            if do == "close":
                return self.cut(h)
            if isinstance(do, int):
                status, answer = do, {"message": "a fault of the test"}
            elif h.headers.get("Authorization") != "Key " + KEY:
                status, answer = 404, {"message": "Couldn't find resource. Please login and try again."}
            else:
                try:
                    status, answer = 200, self.act(h.command, url.path, dict(urllib.parse.parse_qsl(url.query)), json.loads(body) if body else None)
                except Refused as refused:
                    status, answer = refused.status, {"message": str(refused)}
            if do == "lose":
                return self.cut(h)
        text = json.dumps(answer).encode()
        h.send_response(status)
        h.send_header("Content-Type", "application/json")
        h.send_header("Content-Length", str(len(text)))
        h.end_headers()
        h.wfile.write(text)

    @staticmethod
    def cut(h):
        h.close_connection = True
        h.connection.close()

    # ---- what it does --------------------------------------------------------------------------------

    def act(self, method, path, query, body):
        match = re.fullmatch(r"/api/(data_sources|queries|visualizations|dashboards|widgets)(?:/(\d+))?", path)
        if not match:
            raise Refused(404, f"no such resource {path}")
        kind, number = match[1], int(match[2]) if match[2] else None
        if number is None:
            return self.list(kind, query) if method == "GET" else self.make(kind, body) if method == "POST" else self.refuse(method)
        item = self.items[kind].get(number)
        if not item:
            raise Refused(404, "not found")
        if method == "GET":
            return self.show(kind, item)
        if method == "POST":
            return self.change(kind, item, body)
        if method == "DELETE":
            return self.remove(kind, item)
        return self.refuse(method)

    @staticmethod
    def refuse(method):
        raise Refused(405, f"{method} is not allowed")

    def list(self, kind, query):
        if kind == "data_sources":
            return [{k: v for k, v in i.items() if k != "options"} for i in self.all(kind)]
        if kind not in ("queries", "dashboards"):
            raise Refused(405, "not allowed")
        page, size, found = int(query.get("page", 1)), int(query.get("page_size", 25)), self.all(kind)
        if size > 250 or page < 1 or (page > 1 and (page - 1) * size >= len(found)):
            raise Refused(400, "page is out of range")
        return {"count": len(found), "page": page, "page_size": size, "results": found[(page - 1) * size:page * size]}

    def show(self, kind, item):
        if kind == "queries":
            return {**item, "visualizations": [{k: v for k, v in i.items() if k != "query_id"} for i in self.all("visualizations") if i["query_id"] == item["id"]]}
        if kind == "dashboards":
            widgets = []
            for widget in self.all("widgets"):
                if widget["dashboard_id"] == item["id"]:
                    visual = self.items["visualizations"].get(widget["visualization_id"]) if widget.get("visualization_id") else None
                    widgets.append({**widget, **({"visualization": {**visual, "query": self.items["queries"][visual["query_id"]]}} if visual else {})})
            return {**item, "widgets": widgets}
        if kind == "data_sources":
            return {**item, "options": {k: MASK if k in SECRETS else v for k, v in item["options"].items()}}
        return item

    def check(self, kind, body):
        if not isinstance(body, dict):
            raise Refused(400, "a JSON object, please")
        if "data_source_id" in body and body["data_source_id"] not in self.items["data_sources"]:
            raise Refused(400, "no such data source")
        if kind == "data_sources":
            if body["type"] not in OPTIONS or set(body["options"]) - OPTIONS[body["type"]]:
                raise Refused(400, f"options are not those of {body['type']}")
        if kind == "widgets" and body["visualization_id"] not in self.items["visualizations"]:
            raise Refused(400, "no such visualization")

    def make(self, kind, body):
        if not isinstance(body, dict) or any(name not in body for name in NEEDED[kind]):
            raise Refused(400, f"{kind}: {NEEDED[kind]} are needed")
        self.check(kind, body)
        if kind == "data_sources" and any(i["name"] == body["name"] for i in self.all(kind)):
            raise Refused(400, f"Data source with the name {body['name']} already exists.")
        self.last += 1
        item = {**body, "id": self.last}
        if kind in ("queries", "dashboards"):
            item.update(is_draft=True, is_archived=False, version=1, tags=body.get("tags", []) if kind == "queries" else [])
        if kind == "dashboards":
            item.update(slug=re.sub(r"\W+", "-", body["name"].lower()))
        self.items[kind][item["id"]] = item
        if kind == "queries":
            self.last += 1
            self.items["visualizations"][self.last] = {"id": self.last, "query_id": item["id"], "type": "TABLE", "name": "Table", "description": "", "options": {}}
        return self.show(kind, item)

    def change(self, kind, item, body):
        self.check(kind, body)
        if "version" in body and body["version"] != item.get("version"):
            raise Refused(409, "somebody else changed it")
        if kind == "data_sources":
            body = {**body, "options": {**{k: v for k, v in item["options"].items() if k in SECRETS}, **body["options"]}}
        item.update(body)
        if "version" in item:
            item["version"] += 1
        return self.show(kind, item)

    def remove(self, kind, item):
        if kind in ("queries", "dashboards"):
            item["is_archived"] = True
            if kind == "queries":
                visuals = {i["id"] for i in self.all("visualizations") if i["query_id"] == item["id"]}
                self.items["widgets"] = {k: w for k, w in self.items["widgets"].items() if w.get("visualization_id") not in visuals}
        else:
            del self.items[kind][item["id"]]
        return {}
