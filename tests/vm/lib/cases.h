/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CASES_H
#define CASES_H

/*
 * CASE(name) { ... } is all it takes for a case: the linker gathers them. A scenario
 * names those it runs.
 */
struct test_case {
	const char *name;
	void (*run)(void);
};

#define CASE(name)								\
	static void case_##name(void);						\
	static const struct test_case entry_##name = { #name, case_##name };	\
	static const struct test_case *const pointer_##name			\
		__attribute__((used, section("test_cases"))) = &entry_##name;	\
	static void case_##name(void)

/* The linker's names for both ends of that section. */
extern const struct test_case *const __start_test_cases[], *const __stop_test_cases[];

#endif
