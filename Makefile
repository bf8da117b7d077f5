# Every target is a command of ./dev.
TARGETS = build demo test bench lint install deps fuzz chaos

all: build

$(TARGETS):
	@./dev $@

.PHONY: all $(TARGETS)
