LIBS_module-lake := $(ISAL) -lz
