/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CASES_H
#define CASES_H

/* Each is case_NAME() in case_NAME.c; a scenario names those it runs. */
#define CASES(CASE) \
	CASE(smoke) \
	CASE(image) \
	CASE(claim) \
	CASE(cycles) \
	CASE(faults) \
	CASE(nomem) \
	CASE(full) \
	CASE(hotplug) \
	CASE(lost) \
	CASE(lost_open) \
	CASE(native) \
	CASE(badinput) \
	CASE(noiommu) \
	CASE(region) \
	CASE(look) \
	CASE(msix) \
	CASE(dmabuf) \
	CASE(golden) \
	CASE(sriov) \
	CASE(nested) \
	CASE(relocation) \
	CASE(linuxguest) \
	CASE(guest_drives) \
	CASE(eeh) \
	CASE(aligned) \
	CASE(freeze) \
	CASE(guest_eeh) \
	CASE(pseries) \
	CASE(demo) \
	CASE(cli) \
	CASE(cli_in_use) \
	CASE(cli_no_iommu)

#define CASE_DECLARE(name) void case_##name(void);
CASES(CASE_DECLARE)
#undef CASE_DECLARE

#endif
