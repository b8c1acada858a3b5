LIBS_receiver-kinesis := -lcurl -lcrypto
