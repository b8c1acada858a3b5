"""The Glue catalog: databases, tables with versions, partitions."""
import copy
import json
import re

from tests.fakes.aws.core import Failure, Service

PARTITIONS_MAX = 100
NAME = re.compile(r"^[a-z0-9_]{1,255}$")  # what Athena can read
INPUT = {"Name", "Description", "Owner", "LastAccessTime", "LastAnalyzedTime", "Retention", "StorageDescriptor", "PartitionKeys", "ViewOriginalText",
         "ViewExpandedText", "TableType", "Parameters", "TargetTable"}


class Glue(Service):
    name, target = "glue", "AWSGlue"
    throttle = ("ThrottlingException", 400)

    def __init__(self, fake):
        super().__init__(fake)
        self.databases = {}

    # ---- for tests, without a request ----

    def table(self, database, name):
        with self.lock:
            return copy.deepcopy(self.databases[database][name]["table"])

    def partitions(self, database, name):
        """{values: PartitionInput}"""
        with self.lock:
            return dict(self.databases[database][name]["partitions"])

    def change(self, database, name, change):
        """change(table) edits it; the version rises."""
        with self.lock:
            held = self.databases[database][name]
            change(held["table"])
            held["version"] += 1

    # ---- operations ----

    def database(self, name):
        if name not in self.databases:
            raise Failure("EntityNotFoundException", f"Database {name} not found.")
        return self.databases[name]

    def held(self, arguments, key="Name"):
        found = self.database(arguments["DatabaseName"]).get(arguments[key])
        if found is None:
            raise Failure("EntityNotFoundException", f"Table {arguments[key]} not found.")
        return found

    def GetDatabase(self, arguments):
        self.database(arguments["Name"])
        return {"Database": {"Name": arguments["Name"], "CreateTime": 1.0}}

    def CreateDatabase(self, arguments):
        name = arguments["DatabaseInput"]["Name"]
        if name in self.databases:
            raise Failure("AlreadyExistsException", "Database already exists.")
        self.databases[name] = {}
        return {}

    def checked(self, table):
        if set(table) - INPUT:
            raise Failure("ValidationException", f"a TableInput has no {sorted(set(table) - INPUT)}")
        columns = table["StorageDescriptor"]["Columns"] + table.get("PartitionKeys", [])
        names = [c["Name"] for c in columns]
        if not NAME.match(table["Name"]) or len(set(names)) != len(names) or not all(NAME.match(n) for n in names):
            raise Failure("InvalidInputException", f"names: {table['Name']} {names}")
        if any(not isinstance(v, str) for v in table.get("Parameters", {}).values()):
            raise Failure("ValidationException", "a parameter that is no text")
        return copy.deepcopy(table)

    def CreateTable(self, arguments):
        database, table = self.database(arguments["DatabaseName"]), self.checked(arguments["TableInput"])
        if table["Name"] in database:
            raise Failure("AlreadyExistsException", "Table already exists.")
        database[table["Name"]] = {"table": table, "version": 0, "partitions": {}}
        return {}

    def GetTable(self, arguments):
        held = self.held(arguments)
        return {"Table": dict(held["table"], DatabaseName=arguments["DatabaseName"], CreateTime=1.0, UpdateTime=2.0, Retention=0, CreatedBy="arn:aws:iam::0:x",
                              IsRegisteredWithLakeFormation=False, CatalogId="000000000000", VersionId=str(held["version"]), IsMultiDialectView=False)}

    def UpdateTable(self, arguments):
        table = self.checked(arguments["TableInput"])
        held = self.held({"DatabaseName": arguments["DatabaseName"], "Name": table["Name"]})
        if arguments.get("VersionId", str(held["version"])) != str(held["version"]):
            raise Failure("ConcurrentModificationException", "Update table failed due to concurrent modifications.")
        held["table"], held["version"] = table, held["version"] + 1
        return {}

    def DeleteTable(self, arguments):
        self.held(arguments)
        del self.database(arguments["DatabaseName"])[arguments["Name"]]
        return {}

    def BatchCreatePartition(self, arguments):
        held, errors = self.held(arguments, "TableName"), []
        inputs = arguments["PartitionInputList"]
        if len(inputs) > PARTITIONS_MAX:
            raise Failure("InvalidInputException", f"{len(inputs)} partitions: up to {PARTITIONS_MAX}")
        for one in inputs:
            values = tuple(one["Values"])
            if len(values) != len(held["table"].get("PartitionKeys", [])):
                raise Failure("InvalidInputException", "The number of partition keys do not match the number of partition values")
            if values in held["partitions"]:
                errors.append({"PartitionValues": list(values), "ErrorDetail": {"ErrorCode": "AlreadyExistsException", "ErrorMessage": "Partition already exists."}})
            else:
                held["partitions"][values] = one
        return {"Errors": errors}

    def spoil(self, operation, arguments, answer, fault):
        """records: one partition of the call was not made, with `code`."""
        if operation != "BatchCreatePartition" or fault.do != "records":
            return super().spoil(operation, arguments, answer, fault)
        values = arguments["PartitionInputList"][0]["Values"]
        self.held(arguments, "TableName")["partitions"].pop(tuple(values), None)
        answer["Errors"].append({"PartitionValues": values, "ErrorDetail": {"ErrorCode": fault.code or "InternalServiceException", "ErrorMessage": "no"}})
        return answer

    def state(self):
        with self.lock:
            return json.loads(json.dumps({d: {n: {"version": h["version"], "partitions": sorted(map(list, h["partitions"]))} for n, h in tables.items()}
                                          for d, tables in self.databases.items()}))


SERVICE = Glue
