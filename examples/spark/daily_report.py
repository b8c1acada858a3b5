"""A day of a website in numbers: hits, visitors, and the pages, by site.

    spark-submit daily_report.py --list {list} --output s3://bucket/daily

For a job with `on: closed, unit: day, folders: together`."""
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from batch import Batch, arguments, event_time

SCHEMA = "site_id string, visitor_id string, received_at string, event_datetime string, page_view_url string"


def report(events):
    """site_id, day, page, hits, visitors; a row with page null is the whole site's."""
    by_day = events.withColumn("day", F.to_date(event_time()))
    return by_day.rollup("site_id", "day", "page_view_url").agg(F.count("*").alias("hits"), F.countDistinct("visitor_id").alias("visitors"),
                                                                F.grouping("page_view_url").alias("whole"), F.grouping("day").alias("all_days")) \
        .where("all_days = 0 and (whole = 1 or page_view_url is not null)").select("site_id", "day", F.col("page_view_url").alias("page"), "hits", "visitors")


def main():
    args = arguments(__doc__)
    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    batch = Batch(spark, args.list)
    if not batch.done(args.output):
        rows = report(batch.read(SCHEMA, earlier=True))
        batch.write(rows.repartition("day"), args.output, ["day"], batch.partition_piece())
    spark.stop()


if __name__ == "__main__":
    main()
