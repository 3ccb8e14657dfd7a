/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CASES_H
#define CASES_H

/* What a case begins with. */
#include "file.h"
#include "kmod.h"
#include "models.h"
#include "tap.h"

/*
 * CASE(name) { ... } is all it takes for a case: the linker gathers them. A scenario
 * names those it runs.
 */
struct test_case {
	const char *name;
	void (*run)(void);
	const char *parameters;		/* of our module, or NULL: the case itself loads it, or does not */
};

#define CASE(name) CASE_OF(name, NULL)
/* Before it our module is loaded with these parameters, after it unloaded; both are tests. */
#define MODULE_CASE(name, parameters) CASE_OF(name, parameters)

#define CASE_OF(name, parameters)						\
	static void case_##name(void);						\
	static const struct test_case entry_##name = { #name, case_##name, parameters };	\
	static const struct test_case *const pointer_##name			\
		__attribute__((used, section("test_cases"))) = &entry_##name;	\
	static void case_##name(void)

/* The linker's names for both ends of that section. */
extern const struct test_case *const __start_test_cases[], *const __stop_test_cases[];

#endif
