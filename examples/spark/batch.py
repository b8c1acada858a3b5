"""What the jobs share: the list of a batch's files, and results that appear once and whole.

A job writes below OUTPUT/_staging/BATCH, then moves each file to its place under a name that begins with its piece's, and
last of all writes OUTPUT/_batches/BATCH.json. A run of a batch that has this file does nothing, unless it is a rerun that
somebody asked for; any other first removes what an earlier run left of the same piece. So each piece is in the output once,
however often it runs, and a write that failed leaves nothing that counts.

A piece is what one run answers for: the batch's own files; or, of a job that counts a partition anew from all its files, the
partition. Nobody removes another's piece, whatever days its events have."""
import argparse
import hashlib
import json

from pyspark.sql import functions as F


def arguments(doc):
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--list", required=True, help="the file that names the batch's files: {list}")
    parser.add_argument("--output", required=True, help="a folder that Spark can write to")
    return parser.parse_args()


class Batch:
    def __init__(self, spark, path):
        self.spark, self.jvm = spark, spark._jvm
        whole = json.loads("".join(row.value for row in spark.read.option("wholetext", True).text(path).collect()))
        self.name, self.files, self.earlier = whole["batch"], whole["files"], whole["earlier"]
        self.partition = whole["partition"]  # empty: files of several; then they are no piece but the batch's
        self.rerun = whole["kind"] == "rerun"  # somebody wants it anew, under the same name

    def path(self, text):
        return self.jvm.org.apache.hadoop.fs.Path(text)

    def files_of(self, path):
        return path.getFileSystem(self.spark._jsc.hadoopConfiguration())

    def read(self, schema, earlier=False):
        return self.spark.read.schema(schema).json(self.files + (self.earlier if earlier else []))

    # ---- output ----

    def marker(self, output):
        return self.path(f"{output}/_batches/{self.name}.json")

    def done(self, output):
        path = self.marker(output)
        return not self.rerun and self.files_of(path).exists(path)

    def below(self, folder):
        """Every file below it, with its path relative to it."""
        path = self.path(folder)
        fs = self.files_of(path)
        if not fs.exists(path):
            return
        start = len(str(fs.getFileStatus(path).getPath().toString())) + 1
        found = fs.listFiles(path, True)
        while found.hasNext():
            item = found.next().getPath()
            yield str(item.toString())[start:], item

    def partition_piece(self):
        return "partition-" + hashlib.sha256(self.partition.encode()).hexdigest()[:20] if self.partition else self.name

    def remove(self, piece, output):
        for name, item in list(self.below(output)):
            if name.rpartition("/")[2].startswith(piece + "-") and not name.startswith("_"):
                self.files_of(item).delete(item, False)

    def write(self, frame, output, partitions, piece=None):
        """The rows become the piece (otherwise: the batch's own), by the columns that name the folders. How many files."""
        piece, staging = piece or self.name, f"{output}/_staging/{self.name}"
        frame.write.mode("overwrite").partitionBy(*partitions).option("compression", "snappy").parquet(staging)
        marker = self.marker(output)
        self.files_of(marker).delete(marker, False)  # of what a rerun replaces: a write that fails must not count
        self.remove(piece, output)
        names = []
        for name, item in list(self.below(staging)):
            folder, _, file = name.rpartition("/")
            if not file.endswith(".parquet"):
                continue
            name = f"{folder}/{piece}-{file}"
            target = self.path(f"{output}/{name}")
            fs = self.files_of(target)
            fs.mkdirs(target.getParent())
            if not fs.rename(item, target):
                raise RuntimeError(f"{item} cannot be moved to {target}")
            names.append(name)
        self.finish(output, names)
        return len(names)

    def finish(self, output, names):
        path = self.marker(output)
        fs = self.files_of(path)
        fs.mkdirs(path.getParent())
        text = json.dumps({"batch": self.name, "files": names, "inputs": len(self.files)})
        temporary = self.path(f"{output}/_batches/.{self.name}.tmp")
        stream = fs.create(temporary, True)
        stream.write(bytearray(text.encode()))
        stream.close()
        fs.delete(path, False)
        if not fs.rename(temporary, path):
            raise RuntimeError(f"{temporary} cannot be moved to {path}")
        fs.delete(self.path(f"{output}/_staging/{self.name}"), True)


def event_time():
    """When a website's event happened: its own time, where it has one that can be read, else its arrival."""
    return F.expr("coalesce(try_cast(event_datetime as timestamp), try_cast(received_at as timestamp))")
