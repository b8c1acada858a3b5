#!/usr/bin/env python3
"""Answers PutRecords and PutRecordBatch as well as it can, and checks nothing: what is left is the module's own cost. Prints its port."""
import itertools
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TAKEN = {"PutRecords": b'{"SequenceNumber":"1","ShardId":"shardId-000000000000"}', "PutRecordBatch": b'{"RecordId":"r"}'}
FRAME = {"PutRecords": (b'{"FailedRecordCount":0,"Records":[', b"]}"), "PutRecordBatch": (b'{"FailedPutCount":0,"RequestResponses":[', b"]}")}
OTHERS = {"DescribeStreamSummary": b'{"StreamDescriptionSummary":{"StreamStatus":"ACTIVE"}}', "DescribeDeliveryStream": b'{"DeliveryStreamDescription":{}}'}


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        answer = OTHERS.get(operation)
        if answer is None:
            first, last = FRAME[operation]
            answer = first + b",".join(itertools.repeat(TAKEN[operation], body.count(b'{"Data":"'))) + last
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
print(server.server_address[1], flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    sys.exit(0)
