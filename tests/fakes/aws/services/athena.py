"""Athena: queries whose answers a test lays down, with their states and pages."""
import uuid

from tests.fakes.aws.core import Failure, Service

TOKEN_LEAST = 32


class Athena(Service):
    name, target = "athena", "AmazonAthena"
    throttle = ("TooManyRequestsException", 400)

    def __init__(self, fake):
        super().__init__(fake)
        self.answers, self.queries, self.tokens, self.page_rows = {}, {}, {}, 1000

    # ---- for tests, without a request ----

    def give(self, sql, columns, rows=(), looks=1, failure=None, header=True):
        """What that text gives: [(name, type)], rows of texts or None. looks: how often it is asked for before it has ended. failure: why it fails."""
        with self.lock:
            self.answers[sql] = {"columns": list(columns), "rows": [list(r) for r in rows], "looks": looks, "failure": failure, "header": header}

    # ---- operations ----

    def query(self, arguments):
        found = self.queries.get(arguments.get("QueryExecutionId"))
        if found is None:
            raise Failure("InvalidRequestException", f"QueryExecution {arguments.get('QueryExecutionId')} was not found")
        return found

    def StartQueryExecution(self, arguments):
        token, sql = arguments.get("ClientRequestToken", ""), arguments["QueryString"]
        if not TOKEN_LEAST <= len(token) <= 128:
            raise Failure("InvalidRequestException", "ClientRequestToken has 32 to 128 characters")
        if token in self.tokens:
            return {"QueryExecutionId": self.tokens[token]}
        if sql not in self.answers:
            raise Failure("InvalidRequestException", f"line 1:1: nobody laid down an answer to {sql!r}")
        query = str(uuid.uuid4())
        self.tokens[token] = query
        self.queries[query] = dict(self.answers[sql], arguments=arguments, state="QUEUED", seen=0)
        return {"QueryExecutionId": query}

    def GetQueryExecution(self, arguments):
        query = self.query(arguments)
        query["seen"] += 1
        if query["state"] in ("QUEUED", "RUNNING"):
            ended = query["seen"] > query["looks"]
            query["state"] = "RUNNING" if not ended else "FAILED" if query["failure"] else "SUCCEEDED"
        status = {"State": query["state"]}
        if query["failure"] and query["state"] == "FAILED":
            status["StateChangeReason"] = query["failure"]
        return {"QueryExecution": {"QueryExecutionId": arguments["QueryExecutionId"], "Status": status}}

    def GetQueryResults(self, arguments):
        query = self.query(arguments)
        if query["state"] != "SUCCEEDED":
            raise Failure("InvalidRequestException", f"Query has not yet finished. Current state: {query['state']}")
        rows = ([[name for name, _ in query["columns"]]] if query["header"] else []) + query["rows"]
        first, most = int(arguments.get("NextToken", "0")), min(int(arguments.get("MaxResults", 1000)), self.page_rows)
        answer = {"ResultSet": {"Rows": [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in rows[first:first + most]],
                                "ResultSetMetadata": {"ColumnInfo": [{"Name": n, "Type": kind} for n, kind in query["columns"]]}}}
        if first + most < len(rows):
            answer["NextToken"] = str(first + most)
        return answer

    def StopQueryExecution(self, arguments):
        query = self.query(arguments)
        if query["state"] in ("QUEUED", "RUNNING"):
            query["state"] = "CANCELLED"
        return {}

    def state(self):
        with self.lock:
            return {query: about["state"] for query, about in self.queries.items()}


SERVICE = Athena
