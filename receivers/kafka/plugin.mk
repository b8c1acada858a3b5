# curl, crypto: the credentials of AWS for MSK.
LIBS_receiver-kafka := -lrdkafka -lcurl -lcrypto -lpthread
