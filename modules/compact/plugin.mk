LIBS_module-compact := $(ISAL) -lz -lcrypto -lpthread -ldl
