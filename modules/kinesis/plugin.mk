LIBS_module-kinesis := -lcurl -lcrypto
