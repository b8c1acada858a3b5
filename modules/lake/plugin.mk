LIBS_module-lake := $(ISAL) -lz -lcurl -lcrypto -ldl
