# Every target is a command of ./dev.
TARGETS = build demo test bench lint install deps fuzz random chaos targets

all: build

$(TARGETS):
	@./dev $@

.PHONY: all $(TARGETS)
