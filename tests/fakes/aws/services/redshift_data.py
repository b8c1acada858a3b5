"""Redshift's Data API over a real PostgreSQL: statements run there, transactions as transactions. What PostgreSQL does not know is
translated: COPY reads the manifest and its objects from the fake's S3, WITH NO SCHEMA BINDING is left out; external schemas and
materialized views of streams are kept as texts.

    data = fake.service("redshift-data")
    data.attach(postgres)            # tests.lib.postgres
    data.hold = 3                    # DescribeStatement says STARTED so often before a statement runs
    data.bad = lambda row: "..."     # why COPY refuses a row, or None
    data.script.append("FAILED: Serializable isolation violation")   # what becomes of the next transactions; None: they run
"""
import gzip
import json
import re
import subprocess
import time
import uuid

from tests.fakes.aws.core import Failure, Service

BATCH_MAX = 40
SQL_BYTES_MAX = 100 * 1000
TOKEN_MAX = 64
STREAMING = re.compile(r"\s*(CREATE EXTERNAL SCHEMA (\S+)|CREATE MATERIALIZED VIEW (\S+)|DROP SCHEMA IF EXISTS (\S+)|DROP MATERIALIZED VIEW IF EXISTS (\S+))")
COPY = re.compile(r"\s*COPY (\S+) FROM 's3://([^/']+)/([^']+)' IAM_ROLE (?:default|'[^']+')(?: REGION '[^']+')? MANIFEST FORMAT AS JSON 'auto' GZIP TIMEFORMAT 'auto'$")
MARK = "--ss-mark--"


class Refused(Exception):
    pass


class RedshiftData(Service):
    name, target = "redshift-data", "RedshiftData"
    throttle = ("ActiveStatementsExceededException", 400)

    def __init__(self, fake):
        super().__init__(fake)
        self.statements, self.tokens, self.made = {}, {}, {}
        self.postgres, self.hold, self.bad, self.script = None, 0, lambda row: None, []

    # ---- for tests, without a request ----

    def attach(self, postgres):
        self.postgres = postgres

    def expire(self):
        """As after a day: no id is known."""
        with self.lock:
            self.statements.clear()
            self.tokens.clear()

    def run_held(self):
        """Statements that nobody asked about run, as they do."""
        with self.lock:
            for statement in self.statements.values():
                statement["hold"] = 0
                self.advance(statement)

    def state(self):
        with self.lock:
            return {"statements": {s["Id"]: s["Status"] for s in self.statements.values()}, "made": sorted(self.made)}

    # ---- PostgreSQL ----

    def copy(self, table, bucket, key):
        """COPY as a statement of PostgreSQL's."""
        s3 = self.fake.service("s3")
        try:
            manifest = json.loads(s3.stored(bucket)[key])
            rows = []
            for entry in manifest["entries"]:
                where, _, name = entry["url"][len("s3://"):].partition("/")
                rows += [(entry["url"], n, line) for n, line in enumerate(gzip.decompress(s3.stored(where)[name]).splitlines(), 1)]
        except KeyError as missing:
            raise Refused(f"ERROR: S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,{missing}") from None
        for url, number, line in rows:
            why = self.bad(json.loads(line))
            if why:
                column, _, message = why.partition(": ")
                self.run_sql([f"CREATE TABLE IF NOT EXISTS sys_load_error_detail (file_name text, line_number bigint, column_name text, error_message text)",
                              f"INSERT INTO sys_load_error_detail VALUES ({quote(url)}, {number}, {quote(column)}, {quote(message)})"])
                raise Refused(f"ERROR: Load into table '{table}' failed.  Check 'sys_load_error_detail' system table for details.")
        if not rows:
            return "SELECT 1"
        values = ", ".join(f"({quote(line.decode())}::json)" for _, _, line in rows)
        return f"INSERT INTO {table} SELECT r.* FROM (VALUES {values}) AS v(j), json_populate_record(NULL::{table}, v.j) AS r"

    def translate(self, sql):
        found = COPY.match(sql)
        if found:
            return "-- copy", found.groups()
        if sql.lstrip().startswith("COPY"):
            raise Refused(f"ERROR: syntax error: {sql}")
        return sql.replace(" WITH NO SCHEMA BINDING", ""), None

    def run_sql(self, sqls):
        """One transaction; the rows of each statement as lists of cells."""
        text = "".join(f"{sql};\n\\echo {MARK}\n" for sql in ["BEGIN", *sqls, "COMMIT"])
        result = subprocess.run([str(self.postgres.bin / "psql"), "-X", "--csv", "-t", "-q", "-v", "ON_ERROR_STOP=1", self.postgres.conninfo()],
                                input=text, capture_output=True, text=True, timeout=120, cwd="/")
        if result.returncode:
            raise Refused(re.sub(r"^psql:\S+ ", "", result.stderr.strip().splitlines()[0]))
        return [[line.split(",") for line in part.strip().splitlines()] for part in result.stdout.split(MARK)[1:len(sqls) + 1]]

    def carry_out_sql(self, sqls):
        """COPY's temporary tables exist inside of the transaction alone: what it reads is put into its place before."""
        translated = []
        for sql in sqls:
            text, copied = self.translate(sql)
            translated.append(self.copy(*copied) if copied else text)
        return self.run_sql(translated)

    def stream_sql(self, sql):
        """What PostgreSQL has not: kept as a text."""
        found = STREAMING.match(sql)
        if not found:
            return False
        name = next(part for part in found.groups()[1:] if part)
        if sql.lstrip().startswith("CREATE"):
            if name in self.made:
                raise Refused(f"ERROR: {'Schema' if 'SCHEMA' in found.group(1) else 'Relation'} {name} already exists")
            self.made[name] = sql
            if self.postgres and "MATERIALIZED" in found.group(1):
                self.run_sql([f"CREATE TABLE {name} (event_id text, event_type text, event_name text, event_version text, event_timestamp bigint,"
                              " app_version text, application_id text, application_name text, event_data text, metadata text)"])
        else:
            self.made.pop(name, None)
            if self.postgres and "MATERIALIZED" in found.group(1):
                self.run_sql([f"DROP TABLE IF EXISTS {name}"])
        return True

    # ---- statements ----

    def advance(self, statement):
        """A held statement comes closer to its turn, or runs."""
        if statement["Status"] != "STARTED":
            return
        if statement["hold"] > 0:
            statement["hold"] -= 1
            return
        try:
            sqls = statement["sqls"]
            wanted = self.script.pop(0) if self.script and len(sqls) > 1 else None
            if wanted:
                status, _, why = wanted.partition(": ")
                statement.update(Status=status, **({"Error": why} if why else {}))
                return
            if len(sqls) == 1 and self.stream_sql(sqls[0]):
                statement["rows"] = [[]]
            else:
                statement["rows"] = self.carry_out_sql(sqls)
            statement["Status"] = "FINISHED"
        except Refused as refused:
            statement.update(Status="FAILED", Error=str(refused))

    def submit(self, arguments, sqls):
        if bool(arguments.get("WorkgroupName")) == bool(arguments.get("ClusterIdentifier")):
            raise Failure("ValidationException", "Either WorkgroupName or ClusterIdentifier")
        if not arguments.get("Database"):
            raise Failure("ValidationException", "Database is missing")
        if not 0 < len(sqls) <= BATCH_MAX or any(not 0 < len(sql.encode()) <= SQL_BYTES_MAX for sql in sqls):
            raise Failure("ValidationException", f"1 to {BATCH_MAX} statements of up to {SQL_BYTES_MAX} bytes")
        token = arguments.get("ClientToken")
        if token is not None and not 0 < len(token) <= TOKEN_MAX:
            raise Failure("ValidationException", f"ClientToken has 1 to {TOKEN_MAX} characters")
        if token in self.tokens:
            return self.tokens[token]
        statement = {"Id": str(uuid.uuid4()), "Status": "STARTED", "sqls": sqls, "hold": self.hold, "rows": [], "CreatedAt": time.time(),
                     "target": {k: arguments[k] for k in ("WorkgroupName", "ClusterIdentifier", "Database", "DbUser", "SecretArn") if k in arguments}}
        self.statements[statement["Id"]] = statement
        answer = {"Id": statement["Id"], "CreatedAt": statement["CreatedAt"], **statement["target"]}
        if token:
            self.tokens[token] = answer
        return answer

    def ExecuteStatement(self, arguments):
        return self.submit(arguments, [arguments["Sql"]])

    def BatchExecuteStatement(self, arguments):
        return self.submit(arguments, arguments["Sqls"])

    def found(self, name):
        statement = self.statements.get(name.partition(":")[0])
        if statement is None:
            raise Failure("ResourceNotFoundException", f"Query {name} does not exist.")
        return statement

    def DescribeStatement(self, arguments):
        statement = self.found(arguments["Id"])
        self.advance(statement)
        answer = {"Id": statement["Id"], "Status": statement["Status"], "HasResultSet": any(statement["rows"]), "CreatedAt": statement["CreatedAt"]}
        if len(statement["sqls"]) > 1:
            answer["SubStatements"] = [{"Id": f"{statement['Id']}:{n}", "QueryString": sql, "Status": statement["Status"]}
                                       for n, sql in enumerate(statement["sqls"], 1)]
        return dict(answer, **({"Error": statement["Error"]} if "Error" in statement else {}))

    def GetStatementResult(self, arguments):
        statement = self.found(arguments["Id"])
        if statement["Status"] != "FINISHED":
            raise Failure("ResourceNotFoundException", "Query does not have result. Please check query status with DescribeStatement.")
        sub = arguments["Id"].partition(":")[2]
        if bool(sub) != (len(statement["sqls"]) > 1):
            raise Failure("ValidationException", "an id of a transaction wants :n, that of a statement does not")
        rows = statement["rows"][int(sub or 1) - 1]
        records = [[{"longValue": int(cell)} if re.fullmatch(r"-?\d+", cell) else {"stringValue": cell} for cell in row] for row in rows]
        return {"Records": records, "TotalNumRows": len(records), "ColumnMetadata": []}


def quote(text):
    return "'" + text.replace("'", "''") + "'"


SERVICE = RedshiftData
