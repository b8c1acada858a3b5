"""The Game Analytics Pipeline's hourly ETL: raw events become Parquet, by application_id, year, month and day.

    spark-submit raw_to_processed.py --list {list} --output s3://bucket/processed_events

Nothing is changed but the form; event_data and metadata stay JSON texts and event_timestamp whole seconds, as in the guidance's
table."""
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from batch import Batch, arguments

SCHEMA = "event_id string, event_type string, event_name string, event_version string, event_timestamp string, app_version string, " \
         "application_id string, application_name string, event_data string, metadata string"
PARTITIONS = ["application_id", "year", "month", "day"]


def main():
    args = arguments(__doc__)
    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    batch = Batch(spark, args.list)
    if batch.done(args.output):
        print(f"{batch.name} is in {args.output} already")
    else:
        # A client that divides milliseconds by 1000 sends fractions: read as a bigint they would be null.
        seconds = F.expr("cast(floor(try_cast(event_timestamp as double)) as bigint)")
        time = F.timestamp_seconds("event_timestamp")
        events = batch.read(SCHEMA).withColumn("event_timestamp", seconds) \
            .withColumns({"year": F.date_format(time, "yyyy"), "month": F.date_format(time, "MM"), "day": F.date_format(time, "dd")})
        print(f"{batch.name}: {batch.write(events.repartition(*PARTITIONS), args.output, PARTITIONS)} files")
    spark.stop()


if __name__ == "__main__":
    main()
