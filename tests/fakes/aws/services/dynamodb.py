"""DynamoDB as the store of applications needs it: tables with indexes, conditions of attribute_exists and attribute_not_exists, SET updates,
transactions with tokens, batches of deletes. The fault `records` leaves `part` of a batch's requests unprocessed."""
import copy
import json
import re

from tests.fakes.aws.core import Failure, Service

PAGE_ITEMS = 40  # of a scan or query: so that pages are met
BATCH_MAX = 25
CONDITION = re.compile(r"^attribute_(not_)?exists\((\w+)\)$")
SET = re.compile(r"^SET (\w+ = :\w+)(, \w+ = :\w+)*$")


class DynamoDB(Service):
    name, target, content_type = "dynamodb", "DynamoDB_20120810", "application/x-amz-json-1.0"
    throttle = ("ProvisionedThroughputExceededException", 400)

    def __init__(self, fake):
        super().__init__(fake)
        self.tables, self.tokens = {}, {}

    # ---- for tests, without a request ----

    def items(self, table):
        with self.lock:
            return copy.deepcopy(list(self.tables[table]["items"].values()))

    def put(self, table, item):
        with self.lock:
            held = self.table({"TableName": table})
            held["items"][self.key(held, item)] = copy.deepcopy(item)

    def remove(self, table, item):
        with self.lock:
            held = self.table({"TableName": table})
            del held["items"][self.key(held, item)]

    # ---- tables ----

    def table(self, arguments):
        found = self.tables.get(arguments["TableName"])
        if found is None:
            raise Failure("ResourceNotFoundException", f"Requested resource not found: Table: {arguments['TableName']} not found")
        return found

    def CreateTable(self, arguments):
        name = arguments["TableName"]
        if name in self.tables:
            raise Failure("ResourceInUseException", f"Table already exists: {name}")
        schemas = [arguments["KeySchema"]] + [i["KeySchema"] for i in arguments.get("GlobalSecondaryIndexes", [])]
        used = {part["AttributeName"] for schema in schemas for part in schema}
        if used != {a["AttributeName"] for a in arguments["AttributeDefinitions"]} or arguments["BillingMode"] != "PAY_PER_REQUEST":
            raise Failure("ValidationException", "AttributeDefinitions are those of keys and indexes")
        self.tables[name] = {"spec": arguments, "items": {}}
        return {"TableDescription": {"TableName": name, "TableStatus": "CREATING"}}

    def DescribeTable(self, arguments):
        spec = self.table(arguments)["spec"]
        return {"Table": {key: spec[key] for key in ("TableName", "KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes") if key in spec} | {"TableStatus": "ACTIVE"}}

    def names(self, table):
        return [part["AttributeName"] for part in table["spec"]["KeySchema"]]

    def key(self, table, item):
        names = self.names(table)
        if not all(isinstance(item.get(name, {}).get("S"), str) for name in names):
            raise Failure("ValidationException", "The provided key element does not match the schema")
        return tuple(item[name]["S"] for name in names)

    def exact_key(self, table, key):
        if set(key) != set(self.names(table)):
            raise Failure("ValidationException", "The provided key element does not match the schema")
        return self.key(table, key)

    def holds(self, table, key, condition):
        match = CONDITION.match(condition)
        if not match:
            raise Failure("ValidationException", f"a condition that the fake does not know: {condition}")
        there = match.group(2) in table["items"].get(key, {})
        return there != bool(match.group(1))

    # ---- reading ----

    def page(self, table, items, arguments):
        after = arguments.get("ExclusiveStartKey")
        keys = sorted(self.key(table, item) for item in items)
        if after:
            keys = [key for key in keys if key > self.key(table, after)]
        found = [copy.deepcopy(table["items"][key]) for key in keys[:PAGE_ITEMS]]
        answer = {"Items": found, "Count": len(found)}
        if len(keys) > PAGE_ITEMS:
            answer["LastEvaluatedKey"] = {name: found[-1][name] for name in self.names(table)}
        return answer

    def Scan(self, arguments):
        table = self.table(arguments)
        return self.page(table, table["items"].values(), arguments)

    def Query(self, arguments):
        table = self.table(arguments)
        index = next((i for i in table["spec"].get("GlobalSecondaryIndexes", []) if i["IndexName"] == arguments["IndexName"]), None)
        match = re.match(r"^(\w+) = (:\w+)$", arguments["KeyConditionExpression"])
        if index is None or not match or index["KeySchema"][0]["AttributeName"] != match.group(1) or arguments.get("ConsistentRead"):
            raise Failure("ValidationException", "no such index, or not its key")
        wanted = arguments["ExpressionAttributeValues"][match.group(2)]
        return self.page(table, [item for item in table["items"].values() if item.get(match.group(1)) == wanted], arguments)

    def GetItem(self, arguments):
        table = self.table(arguments)
        found = table["items"].get(self.exact_key(table, arguments["Key"]))
        return {"Item": copy.deepcopy(found)} if found else {}

    # ---- writing ----

    def UpdateItem(self, arguments):
        table = self.table(arguments)
        key = self.exact_key(table, arguments["Key"])
        if not self.holds(table, key, arguments["ConditionExpression"]):
            raise Failure("ConditionalCheckFailedException", "The conditional request failed")
        if not SET.match(arguments["UpdateExpression"]):
            raise Failure("ValidationException", f"an update that the fake does not know: {arguments['UpdateExpression']}")
        values, used = arguments["ExpressionAttributeValues"], set()
        for part in arguments["UpdateExpression"][4:].split(", "):
            name, _, value = part.partition(" = ")
            table["items"][key][name] = copy.deepcopy(values[value])
            used.add(value)
        if used != set(values):
            raise Failure("ValidationException", "Value provided in ExpressionAttributeValues unused in expressions")
        return {}

    def DeleteItem(self, arguments):
        table = self.table(arguments)
        old = table["items"].pop(self.exact_key(table, arguments["Key"]), None)
        return {"Attributes": old} if old and arguments.get("ReturnValues") == "ALL_OLD" else {}

    def BatchWriteItem(self, arguments):
        requests = [(name, r) for name, listed in arguments["RequestItems"].items() for r in listed]
        if not 0 < len(requests) <= BATCH_MAX:
            raise Failure("ValidationException", "Too many items requested for the BatchWriteItem call")
        for name, request in requests:
            table = self.table({"TableName": name})
            table["items"].pop(self.exact_key(table, request["DeleteRequest"]["Key"]), None)
        return {"UnprocessedItems": {}}

    def TransactWriteItems(self, arguments):
        token, items = arguments.get("ClientRequestToken"), arguments["TransactItems"]
        text = json.dumps(items, sort_keys=True)
        if token in self.tokens:
            if self.tokens[token] != text:
                raise Failure("IdempotentParameterMismatchException", "the token was used for another request")
            return {}
        reasons = []
        for item in items:
            (what, part), = item.items()
            table = self.table(part)
            key = self.key(table, part["Item"]) if what == "Put" else self.exact_key(table, part["Key"])
            reasons.append("None" if self.holds(table, key, part["ConditionExpression"]) else "ConditionalCheckFailed")
        if set(reasons) != {"None"}:
            raise Cancelled(reasons)
        for item in items:
            if "Put" in item:
                self.put(item["Put"]["TableName"], item["Put"]["Item"])
        if token:
            self.tokens[token] = text
        return {}

    # ---- faults ----

    def call(self, operation, arguments, fault):
        if fault and fault.do == "records" and operation == "BatchWriteItem":
            (name, requests), = arguments["RequestItems"].items()
            cut = max(1, int(len(requests) * (fault.part or 0.5)))
            with self.lock:
                left = requests[:cut]
                if requests[cut:]:
                    self.BatchWriteItem({"RequestItems": {name: requests[cut:]}})
                return {"UnprocessedItems": {name: left}}
        return super().call(operation, arguments, fault)

    def refusal(self, request, failure):
        if not isinstance(failure, Cancelled):
            return super().refusal(request, failure)
        body = {"__type": "com.amazonaws.dynamodb.v20120810#" + failure.code, "Message": failure.message, "CancellationReasons": [{"Code": r} for r in failure.reasons]}
        return failure.status, {"Content-Type": self.content_type}, json.dumps(body).encode()


class Cancelled(Failure):
    def __init__(self, reasons):
        super().__init__("TransactionCanceledException", f"Transaction cancelled, please refer cancellation reasons for specific reasons [{', '.join(reasons)}]")
        self.reasons = reasons


SERVICE = DynamoDB
