# SPDX-License-Identifier: BSD-2-Clause
# Some folders of Skep, compiled: TOP is its directory, OUT where objects go.
sources := $(wildcard $(TOP)/src/isa/*.c $(TOP)/src/base/*.c)
objects := $(addprefix $(OUT)/,$(notdir $(sources:.c=.o)))
vpath %.c $(TOP)/src/isa $(TOP)/src/base

$(OUT)/part.a: $(objects)
	ar rcs $@ $^

$(OUT)/%.o: %.c
	@mkdir -p $(OUT)
	gcc -std=gnu11 -D_GNU_SOURCE -DSKEP_VERSION='"0"' -O1 -I$(TOP)/include -I$(TOP)/src -c $< -o $@
