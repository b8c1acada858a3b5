LIBS_receiver-matomo := -lz
