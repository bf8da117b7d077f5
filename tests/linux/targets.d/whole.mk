# SPDX-License-Identifier: BSD-2-Clause
# All of Skep, from nothing: TOP is its directory, OUT the build's.
export CC = gcc

all: $(OUT)/build.ninja
	ninja -j2 --quiet -C $(OUT)

$(OUT)/build.ninja:
	meson setup $(OUT) $(TOP) >$(OUT).log
