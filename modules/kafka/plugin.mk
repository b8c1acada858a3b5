# curl, crypto: the credentials of AWS for MSK.
LIBS_module-kafka := -lrdkafka -lcurl -lcrypto -lpthread
