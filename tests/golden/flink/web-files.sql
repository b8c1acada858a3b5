-- The metrics of the module web_metrics as a job of Apache Flink (SQL, 1.20 or later), written by `streamsteam windows export`.
-- The input must hold the events of matomo and nothing else. What is otherwise than here (docs/windows.md):
-- * The input ends: no event is late, each window is written once.
-- * No `__other__`: max_groups and memory are no limits. No METRIC_ID, no METRIC_VERSION: after a failure
--   documents may come twice.
-- * approximate_distinct is counted exactly.
-- * top is exact, and its values are not cut at 200 bytes.
SET 'pipeline.name' = 'streamsteam-web_metrics';
SET 'execution.runtime-mode' = 'batch';
SET 'table.local-time-zone' = 'UTC';

CREATE TEMPORARY TABLE `web_metrics_events_1` (
  `received_at` STRING,
  `event_type` STRING,
  `site_id` STRING,
  `event_datetime` STRING,
  `visitor_id` STRING,
  `page_view_url_normalized` STRING,
  `referrer_type` STRING,
  `goal_id` BIGINT,
  `revenue` DOUBLE,
  `ss_arrival` AS COALESCE(CAST(TO_TIMESTAMP(`received_at`, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''') AS TIMESTAMP_LTZ(3))),
  `ss_time` AS COALESCE(CAST(TO_TIMESTAMP(`event_datetime`, 'yyyy-MM-dd HH:mm:ss') AS TIMESTAMP_LTZ(3)), CAST(TO_TIMESTAMP(`received_at`, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''') AS TIMESTAMP_LTZ(3)), TO_TIMESTAMP_LTZ(0, 3)),
  WATERMARK FOR `ss_time` AS CASE WHEN (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE THEN COALESCE(LEAST(`ss_time`, `ss_arrival` + INTERVAL '1' MINUTE), `ss_time`) - INTERVAL '0 00:00:05.001' DAY TO SECOND(3) END
) WITH (
  'connector' = 'filesystem',
  'path' = '/lake/matomo',
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
);

-- Hits
CREATE TEMPORARY VIEW `web_metrics_view_1` AS
SELECT `ss_time`,
  COALESCE(`site_id`, '') AS `ss_app`,
  `site_id` AS `ss_by1`
FROM `web_metrics_events_1`
WHERE NOT (((`event_type` = 'ping') IS TRUE OR (`event_type` = 'bot') IS TRUE))
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE;

-- Visitors
CREATE TEMPORARY VIEW `web_metrics_view_2` AS
SELECT `ss_time`,
  COALESCE(`site_id`, '') AS `ss_app`,
  `site_id` AS `ss_by1`,
  `visitor_id` AS `ss_value`
FROM `web_metrics_events_1`
WHERE TRUE
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE
  AND `visitor_id` IS NOT NULL;

-- TopPages
CREATE TEMPORARY VIEW `web_metrics_view_3` AS
SELECT `ss_time`,
  COALESCE(`site_id`, '') AS `ss_app`,
  `site_id` AS `ss_by1`,
  `page_view_url_normalized` AS `ss_value`
FROM `web_metrics_events_1`
WHERE TRUE
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE
  AND `page_view_url_normalized` IS NOT NULL;
CREATE TEMPORARY VIEW `web_metrics_counts_3` AS
SELECT `window_start`, `window_end`, `ss_app`, `ss_by1`, `ss_value`, COUNT(*) AS `ss_count`
FROM TABLE(TUMBLE(TABLE `web_metrics_view_3`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
GROUP BY `window_start`, `window_end`, `ss_app`, `ss_by1`, `ss_value`;

-- Sources
CREATE TEMPORARY VIEW `web_metrics_view_4` AS
SELECT `ss_time`,
  COALESCE(`site_id`, '') AS `ss_app`,
  `site_id` AS `ss_by1`,
  `referrer_type` AS `ss_by2`
FROM `web_metrics_events_1`
WHERE `referrer_type` IS NOT NULL
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE;

-- Goals
CREATE TEMPORARY VIEW `web_metrics_view_5` AS
SELECT `ss_time`,
  COALESCE(`site_id`, '') AS `ss_app`,
  `site_id` AS `ss_by1`,
  `goal_id` AS `ss_by2`
FROM `web_metrics_events_1`
WHERE (CAST(`goal_id` AS DOUBLE) > (0E0)) IS TRUE
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE;

-- Revenue
CREATE TEMPORARY VIEW `web_metrics_view_6` AS
SELECT `ss_time`,
  COALESCE(`site_id`, '') AS `ss_app`,
  `site_id` AS `ss_by1`,
  `revenue` AS `ss_value`
FROM `web_metrics_events_1`
WHERE (((`event_type` = 'goal') IS TRUE OR (`event_type` = 'ecommerce_order') IS TRUE) AND `revenue` IS NOT NULL)
  AND (`ss_time` <= `ss_arrival` + INTERVAL '1' HOUR) IS NOT FALSE
  AND `revenue` IS NOT NULL;

CREATE TEMPORARY TABLE `web_metrics_metrics_1` (
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
  `DIMENSION_SITE_ID` STRING,
  `OUTPUT_TYPE` STRING
) WITH (
  'connector' = 'filesystem',
  'path' = '/lake/metrics',
  'format' = 'json'
);

CREATE TEMPORARY TABLE `web_metrics_metrics_2` (
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
  `DIMENSION_SITE_ID` STRING,
  `OUTPUT_TYPE` STRING
) WITH (
  'connector' = 'filesystem',
  'path' = '/lake/metrics',
  'format' = 'json'
);

CREATE TEMPORARY TABLE `web_metrics_metrics_3` (
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
  `DIMENSION_SITE_ID` STRING,
  `DIMENSION_SOURCE` STRING,
  `OUTPUT_TYPE` STRING
) WITH (
  'connector' = 'filesystem',
  'path' = '/lake/metrics',
  'format' = 'json'
);

CREATE TEMPORARY TABLE `web_metrics_metrics_4` (
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
  `DIMENSION_SITE_ID` STRING,
  `DIMENSION_GOAL_ID` STRING,
  `OUTPUT_TYPE` STRING
) WITH (
  'connector' = 'filesystem',
  'path' = '/lake/metrics',
  'format' = 'json'
);

CREATE TEMPORARY TABLE `web_metrics_metrics_5` (
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
  `DIMENSION_SITE_ID` STRING,
  `OUTPUT_TYPE` STRING
) WITH (
  'connector' = 'filesystem',
  'path' = '/lake/metrics',
  'format' = 'json'
);

EXECUTE STATEMENT SET
BEGIN
INSERT INTO `web_metrics_metrics_1` SELECT
  'Hits',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  `ss_count`,
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
  SELECT `window_start`, `window_end`, `ss_app`, `ss_by1`, COUNT(*) AS `ss_count`
  FROM TABLE(TUMBLE(TABLE `web_metrics_view_1`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
  GROUP BY `window_start`, `window_end`, `ss_app`, `ss_by1`);
INSERT INTO `web_metrics_metrics_1` SELECT
  'Visitors',
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
  `ss_by1`,
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, `ss_app`, `ss_by1`, COUNT(*) AS `ss_count`, COUNT(DISTINCT `ss_value`) AS `ss_value`
  FROM TABLE(TUMBLE(TABLE `web_metrics_view_2`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
  GROUP BY `window_start`, `window_end`, `ss_app`, `ss_by1`);
INSERT INTO `web_metrics_metrics_2` SELECT
  'TopPages',
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
  SELECT a.`window_start`, a.`window_end`, a.`ss_app`, a.`ss_by1`, a.`ss_count`, b.`ss_value`
  FROM (SELECT `window_start`, `window_end`, `ss_app`, `ss_by1`, SUM(`ss_count`) AS `ss_count` FROM `web_metrics_counts_3` GROUP BY `window_start`, `window_end`, `ss_app`, `ss_by1`) AS a
  JOIN (SELECT `window_start`, `window_end`, `ss_app`, `ss_by1`,
      ARRAY_AGG(CAST(ROW(`ss_value`, `ss_count`) AS ROW<`value` STRING, `count` BIGINT>)) AS `ss_value`
    FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY `window_start`, `window_end`, `ss_app`, `ss_by1` ORDER BY `ss_count` DESC, `ss_value`) AS `ss_row`
      FROM `web_metrics_counts_3`)
    WHERE `ss_row` <= 10 GROUP BY `window_start`, `window_end`, `ss_app`, `ss_by1`) AS b
  ON a.`window_start` = b.`window_start` AND a.`window_end` = b.`window_end` AND a.`ss_app` = b.`ss_app` AND a.`ss_by1` IS NOT DISTINCT FROM b.`ss_by1`);
INSERT INTO `web_metrics_metrics_3` SELECT
  'Sources',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  `ss_count`,
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
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, `ss_app`, `ss_by1`, `ss_by2`, COUNT(*) AS `ss_count`
  FROM TABLE(TUMBLE(TABLE `web_metrics_view_4`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
  GROUP BY `window_start`, `window_end`, `ss_app`, `ss_by1`, `ss_by2`);
INSERT INTO `web_metrics_metrics_4` SELECT
  'Goals',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  `ss_count`,
  'Count',
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  `ss_by1`,
  CAST(`ss_by2` AS STRING),
  'metrics'
FROM (
  SELECT `window_start`, `window_end`, `ss_app`, `ss_by1`, `ss_by2`, COUNT(*) AS `ss_count`
  FROM TABLE(TUMBLE(TABLE `web_metrics_view_5`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
  GROUP BY `window_start`, `window_end`, `ss_app`, `ss_by1`, `ss_by2`);
INSERT INTO `web_metrics_metrics_5` SELECT
  'Revenue',
  DATE_FORMAT(`window_start`, 'yyyy-MM-dd''T''HH:mm:ss''Z'''),
  CAST(NULL AS BIGINT),
  `ss_value`,
  'None',
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
  SELECT `window_start`, `window_end`, `ss_app`, `ss_by1`, COUNT(*) AS `ss_count`, SUM(`ss_value`) AS `ss_value`
  FROM TABLE(TUMBLE(TABLE `web_metrics_view_6`, DESCRIPTOR(`ss_time`), INTERVAL '1' MINUTE))
  GROUP BY `window_start`, `window_end`, `ss_app`, `ss_by1`);
END;
