"""The query of StreamSteam's documentation: how often each action happened, by day, city and device.

    spark-submit actions.py lake/matomo             every gzipped file below it
    spark-submit actions.py 's3a://bucket/events/enriched/*/*/*/*/*.gz'"""
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

SCHEMA = "received_at string, action_name string, geo_info struct<city:string>, device_info struct<device:struct<name:string,type:string>>"


def actions(events):
    """What could not become an event stands in the lake, too, and has no received_at."""
    time = F.expr("try_cast(received_at as timestamp)")
    return events.where("received_at is not null").groupBy(F.year(time).alias("year"), F.month(time).alias("month"), F.dayofmonth(time).alias("day"), "action_name",
                          F.col("geo_info.city").alias("city"), F.col("device_info.device.name").alias("device"),
                          F.col("device_info.device.type").alias("type")).count()


def main():
    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    reader = spark.read.schema(SCHEMA)
    if "*" not in sys.argv[1]:
        reader = reader.option("recursiveFileLookup", True).option("pathGlobFilter", "*.gz")
    actions(reader.json(sys.argv[1])).orderBy("year", "month", "day", F.desc("count"), "action_name", "city", "device", "type").show(100, truncate=False)
    spark.stop()


if __name__ == "__main__":
    main()
