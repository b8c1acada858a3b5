"""What the jobs share: the list of a batch's files, and results that appear once and whole.

A job writes below OUTPUT/_staging/BATCH, then moves each file to its place under a name that begins with the batch's, and
last of all writes OUTPUT/_batches/BATCH.json. A run of a batch that has this file does nothing, unless it is a rerun that
somebody asked for; any other first removes what an earlier run of the same batch may have left. So each batch is in the output once, however often it runs,
and a write that failed leaves nothing that counts."""
import argparse
import json


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
        self.rerun = whole["kind"] == "rerun"  # somebody wants it anew, under the same name

    def path(self, text):
        return self.jvm.org.apache.hadoop.fs.Path(text)

    def files_of(self, path):
        return path.getFileSystem(self.spark._jsc.hadoopConfiguration())

    def read(self, schema, earlier=False):
        return self.spark.read.schema(schema).json(self.files + (self.earlier if earlier else []))

    # ---- output ----

    def done(self, output):
        path = self.path(f"{output}/_batches/{self.name}.json")
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

    def remove_mine(self, output):
        for name, item in list(self.below(output)):
            if name.rpartition("/")[2].startswith(self.name + "-") and not name.startswith("_"):
                self.files_of(item).delete(item, False)

    def append(self, frame, output, partitions):
        """Adds the rows to the partitions. How many files."""
        staging = f"{output}/_staging/{self.name}"
        self.remove_mine(output)
        frame.write.mode("overwrite").partitionBy(*partitions).option("compression", "snappy").parquet(staging)
        names = []
        for name, item in list(self.below(staging)):
            folder, _, file = name.rpartition("/")
            if not file.endswith(".parquet"):
                continue
            target = self.path(f"{output}/{folder}/{self.name}-{file}")
            fs = self.files_of(target)
            fs.mkdirs(target.getParent())
            if not fs.rename(item, target):
                raise RuntimeError(f"{item} cannot be moved to {target}")
            names.append(f"{folder}/{self.name}-{file}")
        self.finish(output, names)
        return len(names)

    def replace(self, frame, output, partition, values):
        """The partitions with these values become exactly these rows."""
        staging = f"{output}/_staging/{self.name}"
        frame.write.mode("overwrite").partitionBy(partition).option("compression", "snappy").parquet(staging)
        for value in values:
            target, source = self.path(f"{output}/{partition}={value}"), self.path(f"{staging}/{partition}={value}")
            fs = self.files_of(target)
            fs.mkdirs(target.getParent())
            fs.delete(target, True)
            if fs.exists(source) and not fs.rename(source, target):
                raise RuntimeError(f"{source} cannot be moved to {target}")
        self.finish(output, [f"{partition}={value}" for value in values])

    def finish(self, output, names):
        path = self.path(f"{output}/_batches/{self.name}.json")
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
