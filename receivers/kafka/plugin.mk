LIBS_receiver-kafka := -lrdkafka -lpthread
