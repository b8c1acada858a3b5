"""Data Firehose: delivery streams that keep what they were given, in the order of arrival."""
import base64
import binascii

from tests.fakes.aws.core import Failure, Service

PUT_RECORDS_MAX = 500
PUT_BYTES_MAX = 4 * 1024 * 1024
RECORD_BYTES_MAX = 1000 * 1024


class Firehose(Service):
    name, target = "firehose", "Firehose_20150804"
    throttle = ("ServiceUnavailableException", 503)

    def __init__(self, fake):
        super().__init__(fake)
        self.streams, self.next_id = {}, 0

    # ---- for tests, without a request ----

    def make(self, name, source="DirectPut"):
        with self.lock:
            self.streams[name] = {"records": [], "source": source}

    def stored(self, name):
        """The bytes of each record."""
        with self.lock:
            return list(self.streams[name]["records"])

    # ---- operations ----

    def stream(self, arguments):
        name = arguments.get("DeliveryStreamName", "")
        if name not in self.streams:
            raise Failure("ResourceNotFoundException", f"Firehose {name} under account 000000000000 not found.")
        return self.streams[name]

    def CreateDeliveryStream(self, arguments):
        if arguments["DeliveryStreamName"] in self.streams:
            raise Failure("ResourceInUseException", "it is there")
        self.make(arguments["DeliveryStreamName"], arguments.get("DeliveryStreamType", "DirectPut"))
        return {"DeliveryStreamARN": self.arn(arguments)}

    def arn(self, arguments):
        return f"arn:aws:firehose:{self.fake.region}:000000000000:deliverystream/{arguments['DeliveryStreamName']}"

    def DescribeDeliveryStream(self, arguments):
        stream = self.stream(arguments)
        return {"DeliveryStreamDescription": {"DeliveryStreamName": arguments["DeliveryStreamName"], "DeliveryStreamARN": self.arn(arguments),
                                              "DeliveryStreamStatus": "ACTIVE", "DeliveryStreamType": stream["source"], "VersionId": "1",
                                              "Destinations": [], "HasMoreDestinations": False}}

    def PutRecordBatch(self, arguments):
        stream, records = self.stream(arguments), arguments["Records"]
        if stream["source"] != "DirectPut":
            raise Failure("InvalidSourceException", "The delivery stream's source is a Kinesis stream.")
        if not 0 < len(records) <= PUT_RECORDS_MAX:
            raise Failure("ValidationException", f"{len(records)} records: 1 to {PUT_RECORDS_MAX}")
        try:
            data = [base64.b64decode(record["Data"], validate=True) for record in records]
        except (binascii.Error, ValueError):
            raise Failure("SerializationException", "Data is not base64") from None
        if any(len(d) > RECORD_BYTES_MAX for d in data) or sum(map(len, data)) > PUT_BYTES_MAX:
            raise Failure("InvalidArgumentException", "a record, or all of them, are larger than they may be")
        stream["records"].extend(data)
        answers = []
        for _ in data:
            self.next_id += 1
            answers.append({"RecordId": f"r{self.next_id}"})
        return {"FailedPutCount": 0, "Encrypted": False, "RequestResponses": answers}

    def spoil(self, operation, arguments, answer, fault):
        """records: some records (the share `part`, half without it) fail and were not stored."""
        if operation != "PutRecordBatch" or fault.do != "records":
            return super().spoil(operation, arguments, answer, fault)
        records, told = self.stream(arguments)["records"], answer["RequestResponses"]
        first = len(records) - len(told)
        chosen = [i for i in range(len(told)) if self.fake.script.rng.random() < (fault.part if fault.part is not None else 0.5)]
        for i in reversed(chosen):
            del records[first + i]
            told[i] = {"ErrorCode": fault.code or self.throttle[0], "ErrorMessage": fault.message or "Slow down."}
        answer["FailedPutCount"] = len(chosen)
        return answer


SERVICE = Firehose
