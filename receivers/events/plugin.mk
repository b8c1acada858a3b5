LIBS_receiver-events := -lpcre2-8
