"""Visits out of StreamSteam's page views: one row for each, by the day on which it began.

    spark-submit sessions.py --list {list} --output s3://bucket/sessions

For a job with `on: closed, unit: day, folders: together`: the day is counted anew from all its files, so late ones are in.
A visit ends after 30 minutes without a hit, and at midnight UTC. Hits without a visitor are in no visit."""
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from batch import Batch, arguments, event_time

SCHEMA = "event_id string, site_id string, visitor_id string, received_at string, event_datetime string, page_view_url string"
GAP_MS = 30 * 60 * 1000


def sessions(events):
    """site_id, visitor_id, day, number, started, ended, seconds, hits, pages, entry, exit."""
    order = F.struct("at", "event_id")  # hits of one second have an order, too: the same in each run
    by_visitor = Window.partitionBy("site_id", "visitor_id", "day").orderBy("at", "event_id")
    so_far = by_visitor.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    hits = events.where("visitor_id is not null").withColumn("at", event_time()).withColumn("day", F.to_date("at")) \
        .withColumn("ms", F.expr("unix_millis(at)"))
    new = F.coalesce(F.col("ms") - F.lag("ms").over(by_visitor) > GAP_MS, F.lit(True))
    numbered = hits.withColumn("new", new.cast("int")).withColumn("number", F.sum("new").over(so_far)) \
        .withColumn("paged", F.when(F.col("page_view_url").isNotNull(), order))
    return numbered.groupBy("site_id", "visitor_id", "day", "number").agg(
        F.min("at").alias("started"), F.max("at").alias("ended"), ((F.max("ms") - F.min("ms")) / 1000).cast("bigint").alias("seconds"),
        F.count("*").alias("hits"), F.countDistinct("page_view_url").alias("pages"),
        F.min_by("page_view_url", "paged").alias("entry"), F.max_by("page_view_url", "paged").alias("exit"))


def main():
    args = arguments(__doc__)
    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    batch = Batch(spark, args.list)
    if not batch.done(args.output):
        rows = sessions(batch.read(SCHEMA, earlier=True))
        batch.write(rows.repartition("day"), args.output, ["day"], batch.partition_piece())
    spark.stop()


if __name__ == "__main__":
    main()
