LIBS_module-firehose := -lcurl -lcrypto
