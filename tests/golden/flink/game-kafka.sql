-- The metrics of the module windows as a job of Apache Flink (SQL, 1.20 or later), written by `streamsteam windows export`.
-- The input must hold the events of game and nothing else. What is otherwise than here (docs/windows.md):
-- * One watermark, that of the slowest partition; windows after the newest event stay open until one
--   comes that is later: no clock takes its place.
-- * No `__other__`: max_groups and memory are no limits. No METRIC_ID, no METRIC_VERSION: after a failure
--   documents may come twice.
SET 'pipeline.name' = 'streamsteam-windows';
SET 'execution.runtime-mode' = 'streaming';
SET 'table.local-time-zone' = 'UTC';
SET 'execution.checkpointing.interval' = '10000 ms';

CREATE TEMPORARY TABLE `windows_events_1` (
  `event_id` STRING,
  `event_type` STRING,
  `event_timestamp` DOUBLE,
  `app_version` STRING,
  `event_data` STRING,
  `application_id` STRING,
  `ss_arrival` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  `ss_time` AS COALESCE(TO_TIMESTAMP_LTZ(CAST(`event_timestamp` * 1000 AS BIGINT), 3), `ss_arrival`, TO_TIMESTAMP_LTZ(0, 3)),
  WATERMARK FOR `ss_time` AS CASE WHEN (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE THEN COALESCE(LEAST(`ss_time`, `ss_arrival` + INTERVAL '1' MINUTE), `ss_time`) - INTERVAL '0 00:00:05.001' DAY TO SECOND(3) END
) WITH (
  'connector' = 'kafka',
  'topic' = 'events',
  'properties.bootstrap.servers' = '10.0.0.5:9092',
  'properties.group.id' = 'streamsteam-windows',
  'scan.startup.mode' = 'group-offsets',
  'properties.auto.offset.reset' = 'earliest',
  'scan.watermark.emit.strategy' = 'on-event',
  'scan.watermark.idle-timeout' = '30 s',
  'properties.security.protocol' = 'SASL_SSL',
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
);

-- TotalEvents
CREATE TEMPORARY VIEW `windows_view_1` AS
SELECT `ss_time`,
  `application_id` AS `ss_by1`,
  `app_version` AS `ss_by2`,
  COALESCE(NULLIF(`event_id`, ''), UUID()) AS `ss_id`
FROM `windows_events_1`
WHERE TRUE
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE;

-- TotalLogins
CREATE TEMPORARY VIEW `windows_view_2` AS
SELECT `ss_time`,
  `application_id` AS `ss_by1`,
  `app_version` AS `ss_by2`,
  COALESCE(NULLIF(`event_id`, ''), UUID()) AS `ss_id`
FROM `windows_events_1`
WHERE (`event_type` = 'login') IS TRUE
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE;

-- KnockoutsBySpell
CREATE TEMPORARY VIEW `windows_view_3` AS
SELECT `ss_time`,
  `application_id` AS `ss_by1`,
  `app_version` AS `ss_by2`,
  COALESCE(JSON_VALUE(`event_data`, 'lax $.spell_id'), JSON_QUERY(`event_data`, 'lax $.spell_id')) AS `ss_by3`
FROM `windows_events_1`
WHERE ((`event_type` = 'user_knockout') IS TRUE AND JSON_QUERY(`event_data`, 'lax $.spell_id' WITH UNCONDITIONAL ARRAY WRAPPER) IS NOT NULL)
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE;

-- Purchases
CREATE TEMPORARY VIEW `windows_view_4` AS
SELECT `ss_time`,
  `application_id` AS `ss_by1`,
  `app_version` AS `ss_by2`,
  COALESCE(JSON_VALUE(`event_data`, 'lax $.currency_type'), JSON_QUERY(`event_data`, 'lax $.currency_type')) AS `ss_by3`
FROM `windows_events_1`
WHERE ((`event_type` = 'iap_transaction') IS TRUE AND JSON_QUERY(`event_data`, 'lax $.currency_type' WITH UNCONDITIONAL ARRAY WRAPPER) IS NOT NULL)
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE;

CREATE TEMPORARY TABLE `windows_metrics_1` (
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
  'properties.bootstrap.servers' = '10.0.0.5:9092',
  'key.format' = 'raw',
  'key.fields' = 'METRIC_NAME',
  'properties.security.protocol' = 'SASL_SSL',
  'value.format' = 'json'
);

EXECUTE STATEMENT SET
BEGIN
INSERT INTO `windows_metrics_1` SELECT
  'TotalEvents',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  `ss_count`,
  'Count',
  `ss_by1`,
  `ss_by2`,
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, `ss_by1`, `ss_by2`, COUNT(*) AS `ss_count`
  FROM (SELECT * FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY `window_start`, `window_end`, `ss_id` ORDER BY `ss_time`) AS `ss_row`
    FROM TABLE(TUMBLE(TABLE `windows_view_1`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE)))
  WHERE `ss_row` = 1)
  GROUP BY `window_start`, `window_end`, `ss_by1`, `ss_by2`);
INSERT INTO `windows_metrics_1` SELECT
  'TotalLogins',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  `ss_count`,
  'Count',
  `ss_by1`,
  `ss_by2`,
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, `ss_by1`, `ss_by2`, COUNT(*) AS `ss_count`
  FROM (SELECT * FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY `window_start`, `window_end`, `ss_id` ORDER BY `ss_time`) AS `ss_row`
    FROM TABLE(TUMBLE(TABLE `windows_view_2`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE)))
  WHERE `ss_row` = 1)
  GROUP BY `window_start`, `window_end`, `ss_by1`, `ss_by2`);
INSERT INTO `windows_metrics_1` SELECT
  'KnockoutsBySpell',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  `ss_count`,
  'Count',
  `ss_by1`,
  `ss_by2`,
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  `ss_by3`,
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, `ss_by1`, `ss_by2`, `ss_by3`, COUNT(*) AS `ss_count`
  FROM TABLE(TUMBLE(TABLE `windows_view_3`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
  GROUP BY `window_start`, `window_end`, `ss_by1`, `ss_by2`, `ss_by3`) WHERE `ss_count` > (1E0);
INSERT INTO `windows_metrics_1` SELECT
  'Purchases',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  `ss_count`,
  'Count',
  `ss_by1`,
  `ss_by2`,
  CAST(NULL AS STRING),
  `ss_by3`,
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, `ss_by1`, `ss_by2`, `ss_by3`, COUNT(*) AS `ss_count`
  FROM TABLE(TUMBLE(TABLE `windows_view_4`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
  GROUP BY `window_start`, `window_end`, `ss_by1`, `ss_by2`, `ss_by3`) WHERE `ss_count` > (1E0);
END;
