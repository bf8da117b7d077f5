/* SPDX-License-Identifier: BSD-2-Clause */
/* version.c - the version the build gave this library. */
#include <skep/feature.h>

const char *skep_version(void)
{
	return SKEP_VERSION;
}
