/* What differs between the services. */
#include "plugins/common/aws/aws.h"

#define ROW(variable, ...) const aws_service variable[1] = {{__VA_ARGS__}}

ROW(AWS_KINESIS, .name = "kinesis", .id = "KINESIS", .target = "Kinesis_20131202", .protocol = AWS_JSON_1_1);
ROW(AWS_FIREHOSE, .name = "firehose", .id = "FIREHOSE", .target = "Firehose_20150804",
    .protocol = AWS_JSON_1_1);
ROW(AWS_S3, .name = "s3", .id = "S3", .protocol = AWS_REST_XML, .content_hash = true);
ROW(AWS_STS, .name = "sts", .id = "STS", .protocol = AWS_QUERY);
ROW(AWS_GLUE, .name = "glue", .id = "GLUE", .target = "AWSGlue", .protocol = AWS_JSON_1_1);
ROW(AWS_ATHENA, .name = "athena", .id = "ATHENA", .target = "AmazonAthena", .protocol = AWS_JSON_1_1);
ROW(AWS_REDSHIFT_DATA, .name = "redshift-data", .id = "REDSHIFT_DATA", .target = "RedshiftData",
    .protocol = AWS_JSON_1_1);
ROW(AWS_REDSHIFT, .name = "redshift", .id = "REDSHIFT", .protocol = AWS_QUERY);
ROW(AWS_REDSHIFT_SERVERLESS, .name = "redshift-serverless", .id = "REDSHIFT_SERVERLESS",
    .target = "RedshiftServerless", .protocol = AWS_JSON_1_1);
ROW(AWS_EMR, .name = "elasticmapreduce", .id = "EMR", .target = "ElasticMapReduce", .protocol = AWS_JSON_1_1);
ROW(AWS_EMR_SERVERLESS, .name = "emr-serverless", .id = "EMR_SERVERLESS", .protocol = AWS_REST_JSON);
ROW(AWS_DYNAMODB, .name = "dynamodb", .id = "DYNAMODB", .target = "DynamoDB_20120810",
    .protocol = AWS_JSON_1_0);
ROW(AWS_KAFKA, .name = "kafka", .id = "KAFKA", .protocol = AWS_REST_JSON);
ROW(AWS_ES, .name = "es", .id = "OPENSEARCH", .protocol = AWS_REST_JSON);
ROW(AWS_AOSS, .name = "aoss", .id = "OPENSEARCHSERVERLESS", .target = "OpenSearchServerless",
    .protocol = AWS_JSON_1_0, .content_hash = true);
