-- The metrics of the module odd as a job of Apache Flink (SQL, 1.20 or later), written by `streamsteam windows export`.
-- The input must hold the events of events and nothing else. What is otherwise than here (docs/windows.md):
-- * One watermark, that of the slowest partition; windows after the newest event stay open until one
--   comes that is later: no clock takes its place.
-- * No `__other__`: max_groups and memory are no limits. No METRIC_ID, no METRIC_VERSION: after a failure
--   documents may come twice.
-- * approximate_distinct is counted exactly.
-- * top is exact, and its values are not cut at 200 bytes.
-- * quantile has as many buckets as there are: no 2,048 of them, and none shared.
SET 'pipeline.name' = 'streamsteam-odd';
SET 'execution.runtime-mode' = 'streaming';
SET 'table.local-time-zone' = 'UTC';
SET 'execution.checkpointing.interval' = '10000 ms';

CREATE TEMPORARY TABLE `odd_events_1` (
  `event_type` STRING,
  `event_time` STRING,
  `app_id` STRING,
  `select` STRING,
  `back``tick` STRING,
  `o'clock` DOUBLE,
  `n` BIGINT,
  `ok` BOOLEAN,
  `data` STRING,
  `ss_arrival` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  `ss_time` AS COALESCE(CAST(TO_TIMESTAMP(`event_time`, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''') AS TIMESTAMP_LTZ(3)), `ss_arrival`, TO_TIMESTAMP_LTZ(0, 3)),
  WATERMARK FOR `ss_time` AS CASE WHEN (COALESCE(`event_type`, '') = 'click' OR COALESCE(`event_type`, '') = 'it''s') AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE THEN COALESCE(LEAST(`ss_time`, `ss_arrival` + INTERVAL '1' MINUTE), `ss_time`) - INTERVAL '0 00:00:05.001' DAY TO SECOND(3) END
) WITH (
  'connector' = 'kafka',
  'topic' = 'TOPIC',
  'properties.bootstrap.servers' = 'BROKER:9092',
  'properties.group.id' = 'streamsteam-odd',
  'scan.startup.mode' = 'group-offsets',
  'properties.auto.offset.reset' = 'earliest',
  'scan.watermark.emit.strategy' = 'on-event',
  'scan.watermark.idle-timeout' = '30 s',
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
);

CREATE TEMPORARY TABLE `odd_events_2` (
  `event_type` STRING,
  `event_time` STRING,
  `o'clock` DOUBLE,
  `ss_arrival` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  `ss_time` AS COALESCE(CAST(TO_TIMESTAMP(`event_time`, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''') AS TIMESTAMP_LTZ(3)), `ss_arrival`, TO_TIMESTAMP_LTZ(0, 3)),
  WATERMARK FOR `ss_time` AS CASE WHEN (COALESCE(`event_type`, '') = 'click' OR COALESCE(`event_type`, '') = 'it''s') AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE THEN COALESCE(LEAST(`ss_time`, `ss_arrival` + INTERVAL '1' MINUTE), `ss_time`) - INTERVAL '0 01:00:00.001' DAY TO SECOND(3) END
) WITH (
  'connector' = 'kafka',
  'topic' = 'TOPIC',
  'properties.bootstrap.servers' = 'BROKER:9092',
  'properties.group.id' = 'streamsteam-odd',
  'scan.startup.mode' = 'group-offsets',
  'properties.auto.offset.reset' = 'earliest',
  'scan.watermark.emit.strategy' = 'on-event',
  'scan.watermark.idle-timeout' = '30 s',
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
);

-- It's `odd`  -- "x" \   é 中 /*
CREATE TEMPORARY VIEW `odd_view_1` AS
SELECT `ss_time`,
  `select` AS `ss_by1`,
  `back``tick` AS `ss_by2`,
  COALESCE(JSON_VALUE(`data`, 'lax $[''1st''][''user-id'']'), JSON_QUERY(`data`, 'lax $[''1st''][''user-id'']')) AS `ss_by3`,
  `ok` AS `ss_by4`,
  `n` AS `ss_by5`,
  COALESCE(NULLIF(COALESCE(JSON_VALUE(`data`, 'lax $.id'), JSON_QUERY(`data`, 'lax $.id')), ''), UUID()) AS `ss_id`
FROM `odd_events_1`
WHERE (((`select` = U&'a''b\\c\000a\003b\002d\002d\002f\002a \002a\002fé😀') IS TRUE OR (`select` = 'order') IS TRUE OR (`select` = 'x ') IS TRUE) AND ((POSITION('100%_' IN `back``tick`) = 1) IS TRUE OR JSON_QUERY(`data`, 'lax $[''it\''s "x"\\y'']' WITH UNCONDITIONAL ARRAY WRAPPER) IS NOT NULL OR ((CASE WHEN JSON_QUERY(`data`, 'lax $.n' WITH UNCONDITIONAL ARRAY WRAPPER) NOT LIKE '["%' THEN TRY_CAST(JSON_VALUE(`data`, 'lax $.n') AS DOUBLE) END >= (1E0)) IS TRUE AND (CASE WHEN JSON_QUERY(`data`, 'lax $.n' WITH UNCONDITIONAL ARRAY WRAPPER) NOT LIKE '["%' THEN TRY_CAST(JSON_VALUE(`data`, 'lax $.n') AS DOUBLE) END < (1000E0)) IS TRUE)) AND NOT (((`o'clock` = (1.5E0)) IS TRUE OR (FALSE) IS TRUE OR (FALSE) IS TRUE)))
  AND (COALESCE(`event_type`, '') = 'click' OR COALESCE(`event_type`, '') = 'it''s')
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE;

-- Sum
CREATE TEMPORARY VIEW `odd_view_2` AS
SELECT `ss_time`,
  COALESCE(JSON_VALUE(`data`, U&'lax $[''k\003bey'']'), JSON_QUERY(`data`, U&'lax $[''k\003bey'']')) AS `ss_by1`,
  NULLIF(COALESCE(`event_type`, ''), '') AS `ss_by2`,
  NULLIF(COALESCE(`app_id`, ''), '') AS `ss_by3`,
  `select` AS `ss_by4`,
  CASE WHEN JSON_QUERY(`data`, 'lax $.v' WITH UNCONDITIONAL ARRAY WRAPPER) NOT LIKE '["%' THEN TRY_CAST(JSON_VALUE(`data`, 'lax $.v') AS DOUBLE) END AS `ss_value`
FROM `odd_events_1`
WHERE TRUE
  AND (COALESCE(`event_type`, '') = 'click' OR COALESCE(`event_type`, '') = 'it''s')
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE
  AND COALESCE(JSON_VALUE(`data`, U&'lax $[''k\003bey'']'), JSON_QUERY(`data`, U&'lax $[''k\003bey'']')) IS NOT NULL
  AND NULLIF(COALESCE(`event_type`, ''), '') IS NOT NULL
  AND NULLIF(COALESCE(`app_id`, ''), '') IS NOT NULL
  AND `select` IS NOT NULL
  AND CASE WHEN JSON_QUERY(`data`, 'lax $.v' WITH UNCONDITIONAL ARRAY WRAPPER) NOT LIKE '["%' THEN TRY_CAST(JSON_VALUE(`data`, 'lax $.v') AS DOUBLE) END IS NOT NULL;

-- Most
CREATE TEMPORARY VIEW `odd_view_4` AS
SELECT `ss_time`,
  `select` AS `ss_by1`,
  COALESCE(JSON_VALUE(`data`, 'lax $.list'), JSON_QUERY(`data`, 'lax $.list')) AS `ss_value`
FROM `odd_events_1`
WHERE TRUE
  AND (COALESCE(`event_type`, '') = 'click' OR COALESCE(`event_type`, '') = 'it''s')
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE
  AND COALESCE(JSON_VALUE(`data`, 'lax $.list'), JSON_QUERY(`data`, 'lax $.list')) IS NOT NULL;
CREATE TEMPORARY VIEW `odd_counts_4` AS
SELECT `window_start`, `window_end`, `ss_by1`, `ss_value`, COUNT(*) AS `ss_count`
FROM TABLE(TUMBLE(TABLE `odd_view_4`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
GROUP BY `window_start`, `window_end`, `ss_by1`, `ss_value`;

-- Many
CREATE TEMPORARY VIEW `odd_view_5` AS
SELECT `ss_time`,
  `n` AS `ss_value`
FROM `odd_events_1`
WHERE ((`ok` IS TRUE) IS TRUE AND (JSON_QUERY(`data`, 'lax $.t' WITH UNCONDITIONAL ARRAY WRAPPER) = '[true]') IS TRUE AND (JSON_QUERY(`data`, 'lax $.f' WITH UNCONDITIONAL ARRAY WRAPPER) = '[false]') IS TRUE AND (NOT JSON_QUERY(`data`, 'lax $.z' WITH UNCONDITIONAL ARRAY WRAPPER) IS NOT NULL) IS TRUE AND (JSON_VALUE(`data`, 'lax $.s') = '7' AND JSON_QUERY(`data`, 'lax $.s' WITH UNCONDITIONAL ARRAY WRAPPER) LIKE '["%') IS TRUE AND (CASE WHEN JSON_QUERY(`data`, 'lax $.d' WITH UNCONDITIONAL ARRAY WRAPPER) NOT LIKE '["%' THEN TRY_CAST(JSON_VALUE(`data`, 'lax $.d') AS DOUBLE) END = (7E0)) IS TRUE)
  AND (COALESCE(`event_type`, '') = 'click' OR COALESCE(`event_type`, '') = 'it''s')
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE
  AND `n` IS NOT NULL;

-- Least
CREATE TEMPORARY VIEW `odd_view_6` AS
SELECT `ss_time`,
  COALESCE(JSON_VALUE(`data`, 'lax $[''1st''][''user-id'']'), JSON_QUERY(`data`, 'lax $[''1st''][''user-id'']')) AS `ss_by1`,
  CASE WHEN JSON_QUERY(`data`, 'lax $.v' WITH UNCONDITIONAL ARRAY WRAPPER) NOT LIKE '["%' THEN TRY_CAST(JSON_VALUE(`data`, 'lax $.v') AS DOUBLE) END AS `ss_value`
FROM `odd_events_1`
WHERE (((CASE WHEN JSON_QUERY(`data`, 'lax $.v' WITH UNCONDITIONAL ARRAY WRAPPER) NOT LIKE '["%' THEN TRY_CAST(JSON_VALUE(`data`, 'lax $.v') AS DOUBLE) END < (3E0)) IS TRUE AND (CASE WHEN JSON_QUERY(`data`, 'lax $.v' WITH UNCONDITIONAL ARRAY WRAPPER) NOT LIKE '["%' THEN TRY_CAST(JSON_VALUE(`data`, 'lax $.v') AS DOUBLE) END >= (-3E0)) IS TRUE) AND (`select` IS NOT NULL) IS TRUE)
  AND (COALESCE(`event_type`, '') = 'click' OR COALESCE(`event_type`, '') = 'it''s')
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE
  AND CASE WHEN JSON_QUERY(`data`, 'lax $.v' WITH UNCONDITIONAL ARRAY WRAPPER) NOT LIKE '["%' THEN TRY_CAST(JSON_VALUE(`data`, 'lax $.v') AS DOUBLE) END IS NOT NULL;

-- Free
CREATE TEMPORARY VIEW `odd_view_7` AS
SELECT `ss_time`,
  `select` AS `ss_by1`,
  `ok` AS `ss_by2`,
  CAST(`n` AS DOUBLE) AS `ss_value`
FROM `odd_events_1`
WHERE TRUE
  AND (COALESCE(`event_type`, '') = 'click' OR COALESCE(`event_type`, '') = 'it''s')
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE
  AND CAST(`n` AS DOUBLE) IS NOT NULL;

-- Half
CREATE TEMPORARY VIEW `odd_view_3` AS
SELECT `ss_time`,
  CASE WHEN ABS(`o'clock`) < 1E-9 THEN 0 WHEN `o'clock` <> 0 THEN CAST(SIGN(`o'clock`) AS BIGINT) * (1000000 + CAST(CEIL(LN(ABS(`o'clock`)) / LN((1.0202020202020201E0))) AS BIGINT)) END AS `ss_value`
FROM `odd_events_2`
WHERE TRUE
  AND (COALESCE(`event_type`, '') = 'click' OR COALESCE(`event_type`, '') = 'it''s')
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE
  AND CASE WHEN ABS(`o'clock`) < 1E-9 THEN 0 WHEN `o'clock` <> 0 THEN CAST(SIGN(`o'clock`) AS BIGINT) * (1000000 + CAST(CEIL(LN(ABS(`o'clock`)) / LN((1.0202020202020201E0))) AS BIGINT)) END IS NOT NULL;
CREATE TEMPORARY VIEW `odd_counts_3` AS
SELECT `window_start`, `window_end`, `ss_value`, COUNT(*) AS `ss_count`
FROM TABLE(TUMBLE(TABLE `odd_view_3`, DESCRIPTOR(`ss_time`), INTERVAL '12' HOUR))
GROUP BY `window_start`, `window_end`, `ss_value`;

CREATE TEMPORARY TABLE `odd_metrics_1` (
  `METRIC_NAME` STRING,
  `METRIC_TIMESTAMP` STRING,
  `METRIC_UNIT_VALUE_INT` BIGINT,
  `METRIC_UNIT` STRING,
  `DIMENSION_APPLICATION_ID` STRING,
  `DIMENSION_APP_VERSION` STRING,
  `DIMENSION_COUNTRY_ID` STRING,
  `DIMENSION_CURRENCY_TYPE` STRING,
  `DIMENSION_SPELL_ID` STRING,
  `DIMENSION_MISSION_ID` STRING,
  `DIMENSION_ITEM_ID` STRING,
  `select` STRING,
  `quo"te``s\` STRING,
  `é 中` STRING,
  `--` BOOLEAN,
  `*` BIGINT,
  `OUTPUT_TYPE` STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'metrics',
  'properties.bootstrap.servers' = 'BROKER:9092',
  'key.format' = 'raw',
  'key.fields' = 'METRIC_NAME',
  'value.format' = 'json'
);

CREATE TEMPORARY TABLE `odd_metrics_2` (
  `METRIC_NAME` STRING,
  `METRIC_TIMESTAMP` STRING,
  `METRIC_UNIT_VALUE_INT` BIGINT,
  `METRIC_UNIT_VALUE` DOUBLE,
  `METRIC_UNIT` STRING,
  `DIMENSION_APPLICATION_ID` STRING,
  `DIMENSION_APP_VERSION` STRING,
  `DIMENSION_COUNTRY_ID` STRING,
  `DIMENSION_CURRENCY_TYPE` STRING,
  `DIMENSION_SPELL_ID` STRING,
  `DIMENSION_MISSION_ID` STRING,
  `DIMENSION_ITEM_ID` STRING,
  `K` STRING,
  `T` STRING,
  `A` STRING,
  `S` STRING,
  `OUTPUT_TYPE` STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'metrics',
  'properties.bootstrap.servers' = 'BROKER:9092',
  'key.format' = 'raw',
  'key.fields' = 'METRIC_NAME',
  'value.format' = 'json'
);

CREATE TEMPORARY TABLE `odd_metrics_3` (
  `METRIC_NAME` STRING,
  `METRIC_TIMESTAMP` STRING,
  `METRIC_UNIT_VALUE_INT` BIGINT,
  `METRIC_TOP` ARRAY<ROW<`value` STRING, `count` BIGINT>>,
  `METRIC_UNIT` STRING,
  `DIMENSION_APPLICATION_ID` STRING,
  `DIMENSION_APP_VERSION` STRING,
  `DIMENSION_COUNTRY_ID` STRING,
  `DIMENSION_CURRENCY_TYPE` STRING,
  `DIMENSION_SPELL_ID` STRING,
  `DIMENSION_MISSION_ID` STRING,
  `DIMENSION_ITEM_ID` STRING,
  `S` STRING,
  `OUTPUT_TYPE` STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'metrics',
  'properties.bootstrap.servers' = 'BROKER:9092',
  'key.format' = 'raw',
  'key.fields' = 'METRIC_NAME',
  'value.format' = 'json'
);

CREATE TEMPORARY TABLE `odd_metrics_4` (
  `METRIC_NAME` STRING,
  `METRIC_TIMESTAMP` STRING,
  `METRIC_UNIT_VALUE_INT` BIGINT,
  `METRIC_UNIT` STRING,
  `DIMENSION_APPLICATION_ID` STRING,
  `DIMENSION_APP_VERSION` STRING,
  `DIMENSION_COUNTRY_ID` STRING,
  `DIMENSION_CURRENCY_TYPE` STRING,
  `DIMENSION_SPELL_ID` STRING,
  `DIMENSION_MISSION_ID` STRING,
  `DIMENSION_ITEM_ID` STRING,
  `OUTPUT_TYPE` STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'metrics',
  'properties.bootstrap.servers' = 'BROKER:9092',
  'key.format' = 'raw',
  'key.fields' = 'METRIC_NAME',
  'value.format' = 'json'
);

CREATE TEMPORARY TABLE `odd_metrics_5` (
  `METRIC_NAME` STRING,
  `METRIC_TIMESTAMP` STRING,
  `METRIC_UNIT_VALUE_INT` BIGINT,
  `METRIC_UNIT_VALUE` DOUBLE,
  `METRIC_UNIT` STRING,
  `DIMENSION_APPLICATION_ID` STRING,
  `DIMENSION_APP_VERSION` STRING,
  `DIMENSION_COUNTRY_ID` STRING,
  `DIMENSION_CURRENCY_TYPE` STRING,
  `DIMENSION_SPELL_ID` STRING,
  `DIMENSION_MISSION_ID` STRING,
  `DIMENSION_ITEM_ID` STRING,
  `K` STRING,
  `OUTPUT_TYPE` STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'metrics',
  'properties.bootstrap.servers' = 'BROKER:9092',
  'key.format' = 'raw',
  'key.fields' = 'METRIC_NAME',
  'value.format' = 'json'
);

CREATE TEMPORARY TABLE `odd_metrics_6` (
  `it's` STRING,
  `from` STRING,
  `n` BIGINT,
  `v` DOUBLE,
  `t``` STRING,
  `empty` STRING,
  `u` STRING,
  `a` STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'metrics',
  'properties.bootstrap.servers' = 'BROKER:9092',
  'value.format' = 'json'
);

CREATE TEMPORARY TABLE `odd_metrics_7` (
  `METRIC_NAME` STRING,
  `METRIC_TIMESTAMP` STRING,
  `METRIC_UNIT_VALUE_INT` BIGINT,
  `METRIC_UNIT_VALUE` DOUBLE,
  `METRIC_UNIT` STRING,
  `DIMENSION_APPLICATION_ID` STRING,
  `DIMENSION_APP_VERSION` STRING,
  `DIMENSION_COUNTRY_ID` STRING,
  `DIMENSION_CURRENCY_TYPE` STRING,
  `DIMENSION_SPELL_ID` STRING,
  `DIMENSION_MISSION_ID` STRING,
  `DIMENSION_ITEM_ID` STRING,
  `OUTPUT_TYPE` STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'metrics',
  'properties.bootstrap.servers' = 'BROKER:9092',
  'key.format' = 'raw',
  'key.fields' = 'METRIC_NAME',
  'value.format' = 'json'
);

EXECUTE STATEMENT SET
BEGIN
INSERT INTO `odd_metrics_1` SELECT
  U&'It''s `odd`\003b \002d\002d "x" \\ \000a é 中 \002f\002a',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  `ss_count`,
  U&'per\0009cent\003b ''',
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  `ss_by1`,
  `ss_by2`,
  `ss_by3`,
  `ss_by4`,
  `ss_by5`,
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, `ss_by1`, `ss_by2`, `ss_by3`, `ss_by4`, `ss_by5`, COUNT(*) AS `ss_count`
  FROM (SELECT * FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY `window_start`, `window_end`, `ss_id` ORDER BY `ss_time`) AS `ss_row`
    FROM TABLE(TUMBLE(TABLE `odd_view_1`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE)))
  WHERE `ss_row` = 1)
  GROUP BY `window_start`, `window_end`, `ss_by1`, `ss_by2`, `ss_by3`, `ss_by4`, `ss_by5`);
INSERT INTO `odd_metrics_2` SELECT
  'Sum',
  REPLACE(DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z'''), '.000Z', 'Z'),
  CAST(NULL AS BIGINT),
  `ss_value`,
  'Count',
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  `ss_by1`,
  `ss_by2`,
  `ss_by3`,
  `ss_by4`,
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, `ss_by1`, `ss_by2`, `ss_by3`, `ss_by4`, COUNT(*) AS `ss_count`, SUM(`ss_value`) AS `ss_value`
  FROM TABLE(HOP(TABLE `odd_view_2`, DESCRIPTOR(`ss_time`), INTERVAL '0 00:00:18.100' DAY TO SECOND(3), INTERVAL '0 00:01:30.500' DAY TO SECOND(3)))
  GROUP BY `window_start`, `window_end`, `ss_by1`, `ss_by2`, `ss_by3`, `ss_by4`) WHERE `ss_value` > (-1.5E0) AND `ss_value` <= (1e+20);
INSERT INTO `odd_metrics_3` SELECT
  'Most',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  `ss_count`,
  `ss_value`,
  'Count',
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  `ss_by1`,
  'metrics'
FROM (
  SELECT a.`window_start`, a.`window_end`, a.`ss_by1`, a.`ss_count`, b.`ss_value`
  FROM (SELECT `window_start`, `window_end`, `ss_by1`, SUM(`ss_count`) AS `ss_count` FROM `odd_counts_4` GROUP BY `window_start`, `window_end`, `ss_by1`) AS a
  JOIN (SELECT `window_start`, `window_end`, `ss_by1`,
      ARRAY_AGG(CAST(ROW(`ss_value`, `ss_count`) AS ROW<`value` STRING, `count` BIGINT>)) AS `ss_value`
    FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY `window_start`, `window_end`, `ss_by1` ORDER BY `ss_count` DESC, `ss_value`) AS `ss_row`
      FROM `odd_counts_4`)
    WHERE `ss_row` <= 2 GROUP BY `window_start`, `window_end`, `ss_by1`) AS b
  ON a.`window_start` = b.`window_start` AND a.`window_end` = b.`window_end` AND a.`ss_by1` IS NOT DISTINCT FROM b.`ss_by1`) WHERE `ss_count` >= (2E0);
INSERT INTO `odd_metrics_4` SELECT
  'Many',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  `ss_value`,
  'Count',
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, COUNT(*) AS `ss_count`, COUNT(DISTINCT `ss_value`) AS `ss_value`
  FROM TABLE(TUMBLE(TABLE `odd_view_5`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
  GROUP BY `window_start`, `window_end`);
INSERT INTO `odd_metrics_5` SELECT
  'Least',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  CAST(NULL AS BIGINT),
  `ss_value`,
  'Count',
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  `ss_by1`,
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, `ss_by1`, COUNT(*) AS `ss_count`, MIN(`ss_value`) AS `ss_value`
  FROM TABLE(TUMBLE(TABLE `odd_view_6`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
  GROUP BY `window_start`, `window_end`, `ss_by1`);
INSERT INTO `odd_metrics_6` SELECT
  CONCAT('Free', '/', COALESCE(`ss_by1`, 'null'), '/', COALESCE(LOWER(CAST(`ss_by2` AS STRING)), 'null')),
  CONCAT(DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''), '..', DATE_FORMAT(`window_end`, 'yyyy-MM-dd''T''HH:mm:ss''Z''')),
  `ss_count`,
  `ss_value`,
  CONCAT('a''b ', CAST(`ss_count` AS STRING)),
  '',
  'Count',
  ''
FROM (
  SELECT `window_start`, `window_end`, `ss_by1`, `ss_by2`, COUNT(*) AS `ss_count`, AVG(`ss_value`) AS `ss_value`
  FROM TABLE(TUMBLE(TABLE `odd_view_7`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
  GROUP BY `window_start`, `window_end`, `ss_by1`, `ss_by2`);
INSERT INTO `odd_metrics_7` SELECT
  'Half',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  CAST(NULL AS BIGINT),
  `ss_value`,
  'Count',
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, `ss_count`, CASE WHEN `ss_value` = 0 THEN 0E0 WHEN `ss_value` < 0 THEN -2E0 ELSE 2E0 END * POWER((1.0202020202020201E0), ABS(`ss_value`) - 1000000) / (2.0202020202020199E0) AS `ss_value`
  FROM (SELECT a.`window_start`, a.`window_end`, MAX(b.`ss_count`) AS `ss_count`, MIN(a.`ss_value`) AS `ss_value`
    FROM (SELECT a.`window_start`, a.`window_end`, a.`ss_value`, SUM(b.`ss_count`) AS `ss_sum`
      FROM `odd_counts_3` AS a JOIN `odd_counts_3` AS b
      ON a.`window_start` = b.`window_start` AND a.`window_end` = b.`window_end` AND b.`ss_value` <= a.`ss_value`
      GROUP BY a.`window_start`, a.`window_end`, a.`ss_value`) AS a
    JOIN (SELECT `window_start`, `window_end`, SUM(`ss_count`) AS `ss_count` FROM `odd_counts_3` GROUP BY `window_start`, `window_end`) AS b
    ON a.`window_start` = b.`window_start` AND a.`window_end` = b.`window_end` AND a.`ss_sum` > FLOOR((0.25E0) * (b.`ss_count` - 1))
    GROUP BY a.`window_start`, a.`window_end`));
END;
