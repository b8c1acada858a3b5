"""Visits out of StreamSteam's page views: one row for each, by the day on which it began.

    spark-submit sessions.py --list {list} --output s3://bucket/sessions

For a job with `on: closed, unit: day`: the partition's days are counted anew from all its files, so late ones are in. A
visit ends after 30 minutes without a hit, and at midnight UTC."""
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from batch import Batch, arguments

SCHEMA = "site_id string, visitor_id string, event_type string, received_at string, device_info struct<client_time:string>, " \
         "page_view_url string, action_name string"
GAP_S = 30 * 60


def sessions(events):
    """site_id, visitor_id, number, day, started, ended, seconds, hits, pages, entry, exit."""
    by_visitor = Window.partitionBy("site_id", "visitor_id", "day").orderBy("at")
    whole = Window.partitionBy("site_id", "visitor_id", "day").orderBy("at").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    hits = events.where("visitor_id is not null").withColumn("at", F.to_timestamp("received_at")).withColumn("day", F.to_date("at"))
    new = F.coalesce(F.unix_timestamp("at") - F.unix_timestamp(F.lag("at").over(by_visitor)) > GAP_S, F.lit(True))
    numbered = hits.withColumn("number", F.sum(F.when(new, 1).otherwise(0)).over(whole))
    return numbered.groupBy("site_id", "visitor_id", "day", "number").agg(
        F.min("at").alias("started"), F.max("at").alias("ended"),
        (F.unix_timestamp(F.max("at")) - F.unix_timestamp(F.min("at"))).alias("seconds"), F.count("*").alias("hits"),
        F.countDistinct("page_view_url").alias("pages"), F.min_by("page_view_url", "at").alias("entry"),
        F.max_by("page_view_url", "at").alias("exit"))


def main():
    args = arguments(__doc__)
    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    batch = Batch(spark, args.list)
    if not batch.done(args.output):
        found = sessions(batch.read(SCHEMA, earlier=True)).cache()
        days = sorted(str(row.day) for row in found.select("day").distinct().collect())
        batch.replace(found, args.output, "day", days)
    spark.stop()


if __name__ == "__main__":
    main()
