"""Kinesis Data Streams: streams, shards and their families, iterators that expire, limits per shard."""
import base64
import binascii
import hashlib
import itertools
import json
import time

from tests.fakes.aws.core import Failure, Service

RANGE_END = 2**128 - 1
ITERATOR_S = 300
READS_PER_SECOND = 5
GET_BYTES_MAX = 10 * 1024 * 1024
PUT_RECORDS_MAX = 500
RECORD_BYTES_MAX = 1024 * 1024
FIRST_SEQUENCE = 49600000000000000000000000000000000000000000000000000000


class Shard:
    def __init__(self, number, start, end, parents=(), opened=0):
        self.id = f"shardId-{number:012d}"
        self.start, self.end, self.parents = start, end, [p.id for p in parents]
        self.records, self.closed, self.opened = [], None, opened  # records: (sequence, time, key, data)
        self.reads = []

    def described(self):
        sequence = {"StartingSequenceNumber": str(self.opened)}
        if self.closed is not None:
            sequence["EndingSequenceNumber"] = str(self.closed)
        shard = {"ShardId": self.id, "HashKeyRange": {"StartingHashKey": str(self.start), "EndingHashKey": str(self.end)}, "SequenceNumberRange": sequence}
        for name, parent in zip(("ParentShardId", "AdjacentParentShardId"), self.parents):
            shard[name] = parent
        return shard


class Stream:
    def __init__(self, name, shards):
        self.name, self.created = name, time.time()
        self.numbers = itertools.count()
        width = (RANGE_END + 1) // shards
        self.shards = {}
        for i in range(shards):
            self.add(Shard(next(self.numbers), i * width, RANGE_END if i == shards - 1 else (i + 1) * width - 1, opened=FIRST_SEQUENCE))

    def add(self, shard):
        self.shards[shard.id] = shard
        return shard

    def open(self):
        return [s for s in self.shards.values() if s.closed is None]

    def for_hash(self, value):
        return next(s for s in self.open() if s.start <= value <= s.end)


class Kinesis(Service):
    name, target = "kinesis", "Kinesis_20131202"

    def __init__(self, fake):
        super().__init__(fake)
        self.streams, self.iterator_s, self.get_records_max, self.page = {}, ITERATOR_S, 10000, 100
        self.sequence = itertools.count(FIRST_SEQUENCE + 1)
        self.generation = 0  # raising it expires all iterators
        self.children_told = True

    # ---- for tests, without a request ----

    def make(self, name, shards=1):
        with self.lock:
            self.streams[name] = Stream(name, shards)
            return self.streams[name]

    def put(self, name, key, data, hash_key=None):
        with self.lock:
            stream = self.streams[name]
            value = int(hash_key) if hash_key is not None else int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
            shard, sequence = stream.for_hash(value), next(self.sequence)
            shard.records.append((sequence, time.time(), key, bytes(data)))
            return shard.id, str(sequence)

    def split(self, name, shard_id, at=None):
        with self.lock:
            stream = self.streams[name]
            shard = self.shard(stream, shard_id)
            if shard.closed is not None:
                raise Failure("ResourceInUseException", f"{shard_id} is closed")
            at = int(at) if at is not None else (shard.start + shard.end) // 2 + 1
            if not shard.start < at <= shard.end:
                raise Failure("InvalidArgumentException", "NewStartingHashKey is not within the shard")
            shard.closed = next(self.sequence)
            return [stream.add(Shard(next(stream.numbers), *r, parents=[shard], opened=next(self.sequence))).id
                    for r in ((shard.start, at - 1), (at, shard.end))]

    def merge(self, name, first_id, second_id):
        with self.lock:
            stream = self.streams[name]
            a, b = sorted((self.shard(stream, first_id), self.shard(stream, second_id)), key=lambda s: s.start)
            if a.closed is not None or b.closed is not None or a.end + 1 != b.start:
                raise Failure("InvalidArgumentException", "the shards are not open neighbours")
            a.closed, b.closed = next(self.sequence), next(self.sequence)
            return stream.add(Shard(next(stream.numbers), a.start, b.end, parents=[a, b], opened=next(self.sequence))).id

    def expire_iterators(self):
        with self.lock:
            self.generation += 1

    def forget_shard(self, name, shard_id):
        """As retention does with a closed shard."""
        with self.lock:
            del self.streams[name].shards[shard_id]

    def stored(self, name):
        with self.lock:
            return [r for s in self.streams[name].shards.values() for r in s.records]

    # ---- what operations share ----

    def stream(self, arguments):
        name = arguments.get("StreamName") or str(arguments.get("StreamARN", "")).rpartition("/")[2]
        if name not in self.streams:
            raise Failure("ResourceNotFoundException", f"Stream {name} under account 000000000000 not found.")
        return self.streams[name]

    def shard(self, stream, shard_id):
        if shard_id not in stream.shards:
            raise Failure("ResourceNotFoundException", f"Shard {shard_id} in stream {stream.name} under account 000000000000 does not exist")
        return stream.shards[shard_id]

    def seal(self, **parts):
        return base64.b64encode(json.dumps(parts).encode()).decode()

    def unseal(self, text, code):
        try:
            return json.loads(base64.b64decode(text, validate=True))
        except (ValueError, binascii.Error, TypeError):
            raise Failure(code, "Invalid token or iterator.") from None

    # ---- operations ----

    def CreateStream(self, arguments):
        if arguments["StreamName"] in self.streams:
            raise Failure("ResourceInUseException", "it is there")
        self.make(arguments["StreamName"], arguments.get("ShardCount", 1))
        return {}

    def DescribeStreamSummary(self, arguments):
        stream = self.stream(arguments)
        return {"StreamDescriptionSummary": {"StreamName": stream.name, "StreamARN": f"arn:aws:kinesis:{self.fake.region}:000000000000:stream/{stream.name}",
                                             "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24, "StreamCreationTimestamp": stream.created,
                                             "EnhancedMonitoring": [], "OpenShardCount": len(stream.open()), "ConsumerCount": 0,
                                             "MaxRecordSizeInKiB": RECORD_BYTES_MAX // 1024}}

    def ListShards(self, arguments):
        token = arguments.get("NextToken")
        if token and (arguments.get("StreamName") or arguments.get("StreamARN")):
            raise Failure("InvalidArgumentException", "NextToken and StreamName cannot be provided together.")
        at = self.unseal(token, "ExpiredNextTokenException") if token else {"stream": self.stream(arguments).name, "from": 0}
        shards = list(self.streams[at["stream"]].shards.values())
        size = min(arguments.get("MaxResults", self.page), self.page)
        answer = {"Shards": [s.described() for s in shards[at["from"]:at["from"] + size]]}
        if at["from"] + size < len(shards):
            answer["NextToken"] = self.seal(stream=at["stream"], **{"from": at["from"] + size})
        return answer

    def GetShardIterator(self, arguments):
        stream = self.stream(arguments)
        shard, kind = self.shard(stream, arguments["ShardId"]), arguments["ShardIteratorType"]
        if kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            after = int(arguments["StartingSequenceNumber"]) - (kind == "AT_SEQUENCE_NUMBER")
            if after < shard.opened - 1 or (shard.closed is not None and after > shard.closed):
                raise Failure("InvalidArgumentException", f"StartingSequenceNumber {arguments['StartingSequenceNumber']} used in GetShardIterator on shard "
                                                          f"{shard.id} in stream {stream.name} is invalid.")
        elif kind == "TRIM_HORIZON":
            after = shard.opened - 1
        elif kind == "LATEST":
            after = shard.closed if shard.closed is not None else next(self.sequence)
        elif kind == "AT_TIMESTAMP":
            after = next((r[0] - 1 for r in shard.records if r[1] >= arguments["Timestamp"]), shard.closed or next(self.sequence))
        else:
            raise Failure("ValidationException", f"ShardIteratorType {kind}")
        return {"ShardIterator": self.iterator(stream, shard, after)}

    def iterator(self, stream, shard, after):
        return self.seal(stream=stream.name, shard=shard.id, after=str(after), made=time.time(), generation=self.generation)

    def GetRecords(self, arguments):
        at = self.unseal(arguments.get("ShardIterator"), "InvalidArgumentException")
        if at["generation"] != self.generation or time.time() - at["made"] > self.iterator_s:
            raise Failure("ExpiredIteratorException", "Iterator expired. The iterator was created at an earlier time.")
        stream = self.stream({"StreamName": at["stream"]})
        shard = self.shard(stream, at["shard"])
        self.limit_reads(shard)
        answer, size, last = [], 0, int(at["after"])
        for sequence, when, key, data in shard.records:
            if sequence <= int(at["after"]):
                continue
            if len(answer) >= min(arguments.get("Limit", 10000), self.get_records_max) or size + len(data) > GET_BYTES_MAX:
                break
            answer.append({"SequenceNumber": str(sequence), "ApproximateArrivalTimestamp": round(when, 3), "PartitionKey": key,
                           "Data": base64.b64encode(data).decode()})
            size += len(data)
            last = sequence
        behind = [r for r in shard.records if r[0] > last]
        result = {"Records": answer, "MillisBehindLatest": int((time.time() - behind[0][1]) * 1000) + 1 if behind else 0}
        if shard.closed is None or behind:
            result["NextShardIterator"] = self.iterator(stream, shard, last)
        elif self.children_told:
            result["ChildShards"] = [{"ShardId": s.id, "ParentShards": s.parents, "HashKeyRange": s.described()["HashKeyRange"]}
                                     for s in stream.shards.values() if shard.id in s.parents]
        return result

    def limit_reads(self, shard):
        now = time.time()
        shard.reads = [t for t in shard.reads if now - t < 1]
        if len(shard.reads) >= READS_PER_SECOND:
            raise Failure("ProvisionedThroughputExceededException", f"Rate exceeded for shard {shard.id} in stream under account 000000000000.")
        shard.reads.append(now)

    def PutRecord(self, arguments):
        stream = self.stream(arguments)
        shard, sequence = self.put(stream.name, arguments["PartitionKey"], base64.b64decode(arguments["Data"]), arguments.get("ExplicitHashKey"))
        return {"ShardId": shard, "SequenceNumber": sequence}

    def PutRecords(self, arguments):
        stream, records = self.stream(arguments), arguments["Records"]
        if not 0 < len(records) <= PUT_RECORDS_MAX:
            raise Failure("ValidationException", f"{len(records)} records: 1 to {PUT_RECORDS_MAX}")
        results = []
        for record in records:
            data = base64.b64decode(record["Data"])
            if len(data) + len(record["PartitionKey"].encode()) > RECORD_BYTES_MAX:
                raise Failure("InvalidArgumentException", "a record is larger than 1 MiB")
            results.append((record, data))
        done = []
        for record, data in results:
            shard, sequence = self.put(stream.name, record["PartitionKey"], data, record.get("ExplicitHashKey"))
            done.append({"ShardId": shard, "SequenceNumber": sequence})
        return {"FailedRecordCount": 0, "Records": done}

    def spoil(self, operation, arguments, answer, fault):
        """records: some records (the share `part`, half without it) fails and was not stored. shuffle: answers in another order."""
        if operation == "PutRecords" and fault.do == "records":
            chosen = [i for i in range(len(answer["Records"])) if self.fake.script.rng.random() < (fault.part if fault.part is not None else 0.5)]
            stream = self.stream(arguments)
            for i in chosen:
                told = answer["Records"][i]
                shard = stream.shards[told["ShardId"]]
                shard.records = [r for r in shard.records if str(r[0]) != told["SequenceNumber"]]
                answer["Records"][i] = {"ErrorCode": fault.code or self.throttle[0],
                                        "ErrorMessage": fault.message or f"Rate exceeded for shard {shard.id} in stream {stream.name} under account 000000000000."}
            answer["FailedRecordCount"] = len(chosen)
            return answer
        if fault.do == "shuffle":
            for value in answer.values():
                if isinstance(value, list):
                    self.fake.script.rng.shuffle(value)
            return answer
        return super().spoil(operation, arguments, answer, fault)

    def SplitShard(self, arguments):
        self.split(self.stream(arguments).name, arguments["ShardToSplit"], arguments["NewStartingHashKey"])
        return {}

    def MergeShards(self, arguments):
        self.merge(self.stream(arguments).name, arguments["ShardToMerge"], arguments["AdjacentShardToMerge"])
        return {}

    def state(self):
        with self.lock:
            return {name: {s.id: {"records": len(s.records), "closed": s.closed is not None} for s in stream.shards.values()}
                    for name, stream in self.streams.items()}


SERVICE = Kinesis
